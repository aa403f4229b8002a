"""Figures for papers: their size, what lies where, and files that are the same whenever they are made."""

import io
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from featviz.errors import FeatvizError
from featviz.results.paper import DPI, METADATA, WIDEST_TILE, PaperFigure, Table, draw
from featviz.results.sheets import Cell


def figure(columns: int = 3, width: float = 5.5) -> PaperFigure:
    pictures = [Cell(Image.new("RGB", (50, 50), color), "4.00") for color in ("red", "blue", "lime")]
    cells = [pictures[at % 3] for at in range(columns)]
    return draw(Table([cells, cells], ["clear", "$x_1 < ж$"], [f"filter {at}" for at in range(columns)]), width)


def pixels(drawn: PaperFigure) -> np.ndarray:
    with Image.open(io.BytesIO(drawn.content(".png"))) as image:
        return np.array(image.convert("RGB"))


@pytest.mark.parametrize(("columns", "width"), [(1, 5.5), (3, 5.5), (8, 3.25), (8, 7.0)])
def test_a_figure_is_no_wider_than_asked(columns: int, width: float) -> None:
    drawn = pixels(figure(columns, width))
    assert drawn.shape[1] <= round(width * DPI)
    assert columns < 4 or drawn.shape[1] > 0.97 * width * DPI
    red = (drawn == [255, 0, 0]).all(2)
    side = int(red.any(0).nonzero()[0][0:].min())
    run = red[red.any(1).nonzero()[0][0]][side:]
    assert 20 < int(run.argmin() if not run.all() else len(run)) <= WIDEST_TILE


def test_pictures_are_on_whole_pixels() -> None:
    """Where tiles of one color meet paper, nothing is mixed: no format has to resample them."""
    drawn = pixels(figure())
    for color in ([255, 0, 0], [0, 0, 255]):
        rows, columns = (drawn == color).all(2).nonzero()
        count = (columns.max() + 1 - columns.min()) * len(set(rows))
        assert len(rows) == count


@pytest.mark.parametrize("kind", METADATA)
def test_equal_figures_have_equal_bytes_without_a_date(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    contents = []
    for date in ("0", "1000000000"):
        monkeypatch.setenv("SOURCE_DATE_EPOCH", date)
        contents.append(figure().content(kind))
    assert contents[0] == contents[1]
    assert b"Date" not in contents[0]


def test_a_pdf_has_its_fonts_in_it() -> None:
    content = figure().content(".pdf")
    assert b"/FontFile2" in content
    assert re.search(rb"/Type /Font\b", content)


def test_an_svg_needs_no_fonts_and_fetches_nothing() -> None:
    content = figure().content(".svg").decode()
    assert "<text" not in content
    assert not re.search(r'href="(?!#|data:image/png)', content)


def test_files_are_of_the_kind_that_their_ending_says(tmp_path: Path) -> None:
    three = figure().save(tmp_path / "new" / "figure")
    assert [file.name for file in three] == ["figure.pdf", "figure.svg", "figure.png"]
    assert [file.read_bytes()[:4] for file in three] == [b"%PDF", b"<?xm", b"\x89PNG"]
    (one,) = figure().save(tmp_path / "v1.2.PDF")
    assert one.read_bytes() == three[0].read_bytes()
    with Image.open(three[2]) as image:
        assert image.info["dpi"] == pytest.approx((DPI, DPI), abs=0.1)


@pytest.mark.parametrize(("name", "columns"), [("figure.jpg", 3), ("figure", 60)])
def test_what_cannot_be_is_refused(name: str, columns: int, tmp_path: Path) -> None:
    with pytest.raises(FeatvizError):
        figure(columns).save(tmp_path / name)
    assert not list(tmp_path.iterdir())
