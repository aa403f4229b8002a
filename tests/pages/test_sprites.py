"""Thumbnails in sprites, against Pillow's own resizing of each picture."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from run_folders import write_picture

from featviz.pages.sprites import CELL, CELLS, COLUMNS, Sprites, fitted, make_sprites


def made(paths: list[Path | None]) -> tuple[Sprites, list[Image.Image]]:
    sheets: list[Image.Image] = []

    def save(number: int, content: bytes) -> str:
        assert number == len(sheets)
        sheets.append(Image.open(io.BytesIO(content)))
        return f"{number}.webp"

    return make_sprites(paths, save), sheets


def cell_of(sprites: Sprites, sheets: list[Image.Image], at: int) -> Image.Image:
    place = sprites.places[at]
    left, top = place.cell % COLUMNS * CELL, place.cell // COLUMNS * CELL
    return sheets[place.sprite].crop((left, top, left + CELL, top + CELL))


def difference(one: Image.Image, other: Image.Image) -> float:
    pair = [np.asarray(image.convert("RGB"), float) for image in (one, other)]
    return float(np.abs(pair[0] - pair[1]).mean())


@pytest.mark.parametrize("size", [(224, 224), (96, 96), (24, 24), (1, 1)])
@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA"])
def test_a_cell_is_the_picture_resized_smoothly(size: tuple[int, int], mode: str, tmp_path: Path) -> None:
    write_picture(tmp_path / "a.png", 90, size, mode)
    sprites, sheets = made([tmp_path / "a.png"])
    with Image.open(tmp_path / "a.png") as image:
        expected = image.convert("RGBA").resize((CELL, CELL), Image.Resampling.LANCZOS)
    on_gray = Image.alpha_composite(Image.new("RGBA", expected.size, "#808080"), expected)
    assert difference(cell_of(sprites, sheets, 0), on_gray) < 4  # WebP, of 255 levels
    assert sprites.clear == ({0} if mode == "RGBA" else set())
    assert sheets[0].width == COLUMNS * CELL


@pytest.mark.parametrize("size", [(10, 40), (300, 100), (1, 500)])
def test_one_that_is_no_square_is_shown_whole(size: tuple[int, int]) -> None:
    cell = fitted(Image.new("RGB", size, "red"))
    assert cell.size == (CELL, CELL)
    alpha = np.asarray(cell)[..., 3] > 0
    rows, columns = alpha.any(1).sum(), alpha.any(0).sum()
    assert max(rows, columns) == CELL
    assert (columns > rows) == (size[0] > size[1])


def test_files_hold_so_many_cells_and_each_picture_has_its_place(tmp_path: Path) -> None:
    write_picture(tmp_path / "a.png")
    (tmp_path / "damaged.png").write_bytes(b"\x89PNG")
    paths = [tmp_path / "a.png"] * CELLS + [None, tmp_path / "damaged.png", tmp_path / "a.png"]
    sprites, sheets = made(paths)
    assert sprites.files == ["0.webp", "1.webp"]
    assert [(place.sprite, place.cell) for place in sprites.places] == [
        *((0, cell) for cell in range(CELLS)),
        *((-1, 0), (-1, 0), (1, 0)),
    ]
    assert list(sprites.errors) == [CELLS + 1]
    described = sprites.described()
    assert [(one["columns"], one["rows"]) for one in described] == [
        (sheet.width // CELL, sheet.height // CELL) for sheet in sheets
    ]


def test_equal_pictures_give_equal_bytes(tmp_path: Path) -> None:
    write_picture(tmp_path / "a.png")
    contents: list[bytes] = []
    for _ in range(2):
        make_sprites([tmp_path / "a.png"] * 20, lambda _, content: contents.append(content) or "")  # type: ignore[func-returns-value]
    assert contents[0] == contents[1]


def test_no_pictures_give_no_file() -> None:
    assert made([])[0].described() == []
