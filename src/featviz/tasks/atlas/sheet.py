"""An atlas on one sheet: the cells of its finest level where they lie, the fuller ones larger."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

from PIL import Image, ImageDraw

from featviz.photos.atlas.cells import Cell
from featviz.photos.atlas.tables import LayerAtlas
from featviz.reading import inside, opened_png
from featviz.results.fonts import drawable, font_path, sized_font
from featviz.results.sheets import BLANK, FAINT, INK, PAPER

SIDE = 1600  # px of the map
LARGEST, SMALLEST_CELL = 160, 24  # px of a square
FULL, LEAST = 0.96, 0.62  # of a square's side: the picture of the fullest cell, and of one that is nearly empty
MARGIN, TITLE, TEXT = 32, 28, 18  # px


def atlas_sheet(folder: Path, one: LayerAtlas, images: Mapping[tuple[str, int], str], label: str) -> Image.Image:
    """Draw it; ``images`` are the pictures' files in the folder by layer and number, ``label`` the model's."""
    finest = max(cell.level for cell in one.cells)
    cells = {number: cell for number, cell in enumerate(one.cells) if cell.level == finest}
    grid = next(iter(cells.values())).grid
    square = max(SMALLEST_CELL, min(LARGEST, SIDE // grid))
    columns, rows = ([getattr(cell, name) for cell in cells.values()] for name in ("column", "row"))
    left, top = min(columns), min(rows)
    head = 2 * MARGIN + TITLE + TEXT
    width, height = (max(columns) - left + 1) * square, (max(rows) - top + 1) * square
    sheet = Image.new("RGB", (max(width, 480) + 2 * MARGIN, height + head + MARGIN), PAPER)
    _write_head(sheet, f"{label}, {one.layer}", _about(one, cells))
    most = max(len(cell.points) for cell in cells.values())
    for number, cell in cells.items():
        at = (MARGIN + (cell.column - left) * square, head + (cell.row - top) * square)
        tile = _tile(folder, images.get((one.layer, number), ""), _side(cell, most, square))
        sheet.paste(tile, (at[0] + (square - tile.width) // 2, at[1] + (square - tile.height) // 2))
    return sheet


def _about(one: LayerAtlas, cells: Mapping[int, Cell]) -> str:
    photos = len(set(one.points.photos))
    return f"{len(one.points)} activations of {photos} photos, laid out by {one.method}; {len(cells)} cells"


def _write_head(sheet: Image.Image, title: str, about: str) -> None:
    pen, y = ImageDraw.Draw(sheet), MARGIN
    for text, size, color in ((title, TITLE, INK), (about, TEXT, FAINT)):
        line = drawable(text)
        pen.text((MARGIN, y), line, color, sized_font(font_path(line), size))
        y += size + size // 2


def _side(cell: Cell, most: int, square: int) -> int:
    return round(square * (LEAST + (FULL - LEAST) * math.sqrt(len(cell.points) / most)))


def _tile(folder: Path, image: str, side: int) -> Image.Image:
    """The picture of a cell, or a blank where there is none."""
    try:
        with opened_png(inside(folder, image)) as picture:
            return picture.convert("RGB").resize((side, side), Image.Resampling.LANCZOS)
    except OSError:
        return Image.new("RGB", (side, side), BLANK)
