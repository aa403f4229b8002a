"""The font of a text in sheets and plots: DejaVu Sans, or one of the system's that has more of its letters."""

from __future__ import annotations

import os
from collections.abc import Set
from functools import cache, lru_cache
from pathlib import Path

from PIL import ImageFont

from featviz.errors import printable

try:
    import matplotlib
except ValueError:  # of the backend that a notebook has set for all its processes, where it is not installed
    backend = os.environ.pop("MPLBACKEND", "")
    import matplotlib

    os.environ["MPLBACKEND"] = backend
from matplotlib import font_manager

DEFAULT = Path(matplotlib.get_data_path(), "fonts/ttf/DejaVuSans.ttf")  # Pillow's own has no letters beyond ASCII


def drawable(text: str, path: Path | None = None) -> str:
    r"""A text with escapes for what would control a terminal, and for letters that its font (of ``path``) lacks.

    Example:
        >>> print(drawable("café \x1b \uffff"))
        café \x1b \uffff
    """
    plain = printable(text)
    letters = _letters(path or font_path(plain))
    return "".join(letter if ord(letter) in letters else _escape(letter) for letter in plain)


def font_path(text: str) -> Path:
    """The file of the font that has the most of a text's letters: the default, unless another has more."""
    return _best(frozenset(map(ord, text)) - _letters(DEFAULT), frozenset(map(ord, text)))


@lru_cache(maxsize=64)
def sized_font(path: Path, size: int) -> ImageFont.FreeTypeFont:
    """A font in a size, px."""
    return ImageFont.truetype(str(path), size)


@lru_cache(maxsize=1024)
def _best(lacking: frozenset[int], letters: frozenset[int]) -> Path:
    if not lacking:
        return DEFAULT
    fonts = [DEFAULT, *_system_fonts()]
    return max(fonts, key=lambda path: (len(letters & _letters(path)), path == DEFAULT))


@cache
def _system_fonts() -> list[Path]:
    """The system's fonts, upright ones of usual weight first."""
    found = [Path(name) for name in font_manager.findSystemFonts() if _letters(Path(name))]
    return sorted(found, key=lambda path: ("regular" not in path.name.lower(), path))


@cache
def _letters(path: Path) -> Set[int]:
    """The letters that a font has; none where it is made of small pictures, as some of emoji, or cannot be read."""
    try:
        font = font_manager.get_font(str(path))
        return frozenset(font.get_charmap()) if font.scalable else frozenset()
    except (OSError, RuntimeError, ValueError):
        return frozenset()


def _escape(letter: str) -> str:
    return f"\\u{ord(letter):04x}" if ord(letter) < 0x10000 else f"\\U{ord(letter):08x}"
