"""Letters that DejaVu Sans lacks are drawn by a font of the system that has them, and are escapes where none has."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from matplotlib import font_manager

from featviz.results import fonts
from featviz.results.fonts import DEFAULT, drawable, font_path
from featviz.results.plots import filter_plot
from featviz.results.sheets import grid

CHINESE, EMOJI = "中文", "🦊"


def write_font(path: Path, letters: str) -> None:
    """A font whose every letter is a square."""
    pen = TTGlyphPen(None)
    pen.moveTo((0, 0))
    for corner in ((0, 800), (800, 800), (800, 0)):
        pen.lineTo(corner)
    pen.closePath()
    square, names = pen.glyph(), [".notdef", *(f"u{ord(letter):x}" for letter in letters)]
    builder = FontBuilder(1000)
    builder.setupGlyphOrder(names)
    builder.setupCharacterMap({ord(letter): name for letter, name in zip(letters, names[1:], strict=True)})
    builder.setupGlyf(dict.fromkeys(names, square))
    builder.setupHorizontalMetrics(dict.fromkeys(names, (900, 0)))
    builder.setupHorizontalHeader(ascent=900, descent=-200)
    builder.setupNameTable({"familyName": path.stem, "styleName": "Regular"})
    builder.setupOS2()
    builder.setupPost()
    builder.save(path)


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of a system's fonts, none of which has a letter more than the default, and one cannot be read."""
    (tmp_path / "broken.ttf").write_bytes(b"no font")
    monkeypatch.setattr(font_manager, "findSystemFonts", lambda: [str(path) for path in tmp_path.glob("*.ttf")])
    forget()
    yield tmp_path
    forget()


def forget() -> None:
    for cached in (fonts._best, fonts._system_fonts):
        cached.cache_clear()


def test_latin_cyrillic_and_greek_are_the_defaults() -> None:
    for text in ("", "layer4 filter 3", "éüжя αβ"):
        assert font_path(text) == DEFAULT
        assert drawable(text) == text


@pytest.mark.usefixtures("system")
def test_without_a_font_there_are_escapes() -> None:
    assert drawable(f"cat {CHINESE} {EMOJI}") == r"cat \u4e2d\u6587 \U0001f98a"
    assert drawable("a\x1b[31m") == r"a\x1b[31m"


def test_a_font_of_the_system_has_them(system: Path) -> None:
    write_font(system / "mixed-Regular.ttf", f" catdog{CHINESE}")
    text = f"cat {CHINESE}"
    assert font_path(text) == system / "mixed-Regular.ttf"
    assert drawable(f"{text} {EMOJI}") == rf"{text} \U0001f98a"
    assert font_path("cat") == DEFAULT


def test_sheets_and_plots_draw_with_it(system: Path) -> None:
    """Warnings are errors here: matplotlib warns of letters that its font lacks."""
    boxes = np.asarray(grid([None], [CHINESE], title="cat"))
    plot = filter_plot([0.1, 0.2], [1], CHINESE, "mean", names=["cat", CHINESE])
    write_font(system / "chinese.ttf", CHINESE)
    forget()
    drawn = np.asarray(grid([None], [CHINESE], title="cat"))
    assert drawn.shape != boxes.shape or (drawn != boxes).any()
    assert filter_plot([0.1, 0.2], [1], CHINESE, "mean", names=["cat", CHINESE]) != plot
