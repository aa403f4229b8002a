"""Sheets of labelled tiles: a run's grid, a sweep's table; no display needed."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from itertools import chain

from PIL import Image, ImageDraw, ImageFont

from featviz.results.fonts import drawable, font_path, sized_font

#: A picture, a word on a blank tile, or nothing at all.
Tile = Image.Image | str | None

LABEL, TITLE = 15, 20  # font sizes, px
GAP, FRAME = 12, 3
LARGEST, LARGEST_OF_MANY, MANY = 256, 128, 100  # tile side, px; from how many tiles on they are made smaller
WIDEST_ROW_LABEL, WIDEST_TITLE = 320, 560
PAPER, BLANK, INK, FAINT, WARNING = "#ffffff", "#e4e4e4", "#1a1a1a", "#5c5c5c", "#c0271b"
READABLE = 1300  # px: of wider sheets, which are looked at shrunk, labels are larger
LARGEST_LABEL = 30

Frame = tuple[int, str]  # width in px, and color
WARNED, OUTLINED, UNFRAMED = (FRAME, WARNING), (1, "#b4b4b4"), (0, PAPER)


@dataclass(frozen=True)
class Cell:
    """A tile and the label below it; ``warn`` gives both the warning color; a photo may be as white as paper."""

    tile: Tile
    label: str = ""
    warn: bool = False
    is_photo: bool = False


def grid(
    tiles: Sequence[Tile],
    labels: Sequence[str],
    title: str | None = None,
    columns: int | None = None,
    *,
    warn: Collection[int] = (),
) -> Image.Image:
    """Draw tiles row by row, each with its label below; ``warn`` holds the places of those that stand out."""
    cells = [Cell(tile, label, i in warn) for i, (tile, label) in enumerate(zip(tiles, labels, strict=True))]
    return sheet_of(cells, title, columns)


def sheet_of(cells: Sequence[Cell], title: str | None = None, columns: int | None = None) -> Image.Image:
    """Draw cells row by row, in so many columns, or as many as make the sheet about square."""
    across = columns or _columns(len(cells))
    return lay_out([cells[i : i + across] for i in range(0, len(cells), across)], title=title).draw()


def table_sheet(
    rows: Sequence[Sequence[Cell | Tile]],
    row_labels: Sequence[str],
    column_labels: Sequence[str],
    title: str | None = None,
) -> Image.Image:
    """Draw a table of tiles, or of cells where tiles have labels of their own."""
    cells = [[item if isinstance(item, Cell) else Cell(item) for item in row] for row in rows]
    return lay_out(cells, row_labels, column_labels, title).draw()


def fit(tile: Image.Image, largest: int = LARGEST) -> Image.Image:
    """Give a tile's longer side ``largest`` px, smoothly, so that all tiles of a sheet are of one size."""
    side = max(tile.size)
    if side == largest:
        return tile.convert("RGB")
    size = (max(1, round(tile.width * largest / side)), max(1, round(tile.height * largest / side)))
    filtering = Image.Resampling.LANCZOS if side > largest else Image.Resampling.BICUBIC  # which overshoots less
    return tile.convert("RGB").resize(size, filtering)


def largest_side(count: int) -> int:
    """Longest side of each tile on a sheet of ``count`` tiles, in px."""
    return LARGEST if count <= MANY else LARGEST_OF_MANY


@dataclass(frozen=True)
class Text:
    """One line of text, its upper left corner at (x, y)."""

    x: int
    y: int
    line: str
    size: int = LABEL
    color: str = INK

    @property
    def box(self) -> tuple[int, int, int, int]:
        """Left, top, right and bottom of what is drawn."""
        return self.x, self.y, self.x + text_width(self.line, self.size), self.y + _line_height(self.size)


@dataclass
class Layout:
    """Where everything on a sheet is."""

    width: int = 0
    height: int = 0
    tiles: list[tuple[int, int, Image.Image, Frame]] = field(default_factory=list)
    texts: list[Text] = field(default_factory=list)

    def write(self, x: int, y: int, lines: Sequence[str], size: int = LABEL, color: str = INK) -> int:
        """Place lines one below the other; return where the next would be."""
        for line in lines:
            self.texts.append(Text(x, y, line, size, color))
            y += _line_height(size)
        return y

    def draw(self) -> Image.Image:
        """Draw the sheet."""
        sheet = Image.new("RGB", (self.width, self.height), PAPER)
        pen = ImageDraw.Draw(sheet)
        for x, y, image, (width, color) in self.tiles:
            corner = (x + image.width + width - 1, y + image.height + width - 1)
            pen.rectangle((x - width, y - width, *corner), fill=color)
            sheet.paste(image, (x, y))
        for text in self.texts:
            baseline = text.y + _font("", text.size).getmetrics()[0]  # the same in all fonts
            pen.text((text.x, baseline), text.line, text.color, _font(text.line, text.size), anchor="ls")
        return sheet


def lay_out(
    rows: Sequence[Sequence[Cell]],
    row_labels: Sequence[str] = (),
    column_labels: Sequence[str] = (),
    title: str | None = None,
) -> Layout:
    """Place the title, the column labels, then the rows, each behind its label."""
    images = _images(rows)
    tile_width = max((image.width for image in chain(*images) if image), default=0)
    labels = [cell.label for row in rows for cell in row]
    pitch = max(tile_width, min(LARGEST, _widest([*labels, *column_labels]))) + GAP
    across = max([1, len(column_labels), *map(len, rows)])
    size = min(LARGEST_LABEL, max(LABEL, round(LABEL * across * pitch / READABLE))) if row_labels else LABEL
    widest = WIDEST_ROW_LABEL * size // LABEL
    margin = min(widest, _widest(row_labels, size)) + 2 * GAP if row_labels else GAP
    sheet = Layout(width=margin + across * pitch)
    y = _write_title(sheet, title, size * TITLE // LABEL)
    tops = [(margin + i * pitch, wrapped(text, pitch - GAP, size)) for i, text in enumerate(column_labels)]
    y = max((sheet.write(x, y, lines, size) for x, lines in tops), default=y - GAP // 2) + GAP // 2
    for i, row in enumerate(rows):
        height = max((image.height for image in images[i] if image), default=0)
        label = row_labels[i] if row_labels else ""
        bottom = sheet.write(GAP, y, wrapped(label, widest, size), size) if label else y
        for j, (cell, image) in enumerate(zip(row, images[i], strict=True)):
            bottom = max(bottom, _place(sheet, cell, image, (margin + j * pitch, y), (pitch - GAP, height), size))
        y = max(bottom, y + height) + GAP
    sheet.height = y
    return sheet


def _write_title(sheet: Layout, title: str | None, size: int) -> int:
    """Write the title over the whole width, which grows for it if need be; return where the rest begins."""
    if not title:
        return GAP
    sheet.width = max(sheet.width, min(WIDEST_TITLE, text_width(drawable(title), size)) + 2 * GAP)
    return sheet.write(GAP, GAP, wrapped(title, sheet.width - 2 * GAP, size), size) + GAP


def _place(
    sheet: Layout, cell: Cell, image: Image.Image | None, at: tuple[int, int], room: tuple[int, int], size: int
) -> int:
    """Place a tile in its room (width and height), and its label below; return where they end."""
    (x, y), (width, height) = at, room
    if image is not None:
        sheet.tiles.append((x, y, image, WARNED if cell.warn else OUTLINED if cell.is_photo else UNFRAMED))
    if image is not None and isinstance(cell.tile, str):
        lines = wrapped(cell.tile, image.width - GAP)
        sheet.write(x + GAP // 2, y + GAP // 2, lines, color=WARNING if cell.warn else FAINT)
    lines = wrapped(cell.label, width, size) if cell.label else []
    return sheet.write(x, y + height + FRAME + 1, lines, size, WARNING if cell.warn else INK)


def _images(rows: Sequence[Sequence[Cell]]) -> list[list[Image.Image | None]]:
    """Make all tiles fit; a word gets a blank tile as large as its neighbors."""
    side = largest_side(sum(map(len, rows)))
    fitted = []
    for row in rows:
        images = [fit(cell.tile, side) if isinstance(cell.tile, Image.Image) else None for cell in row]
        sizes = [image.size for image in images if image] or [(LARGEST_OF_MANY, LARGEST_OF_MANY)]
        blank = Image.new("RGB", (max(w for w, _ in sizes), max(h for _, h in sizes)), BLANK)
        fitted.append([blank if isinstance(c.tile, str) else i for i, c in zip(images, row, strict=True)])
    return fitted


def _columns(count: int) -> int:
    """Choose how many columns: about as many as rows, or up to twice, with as few empty places as can be."""
    root = max(1, math.ceil(math.sqrt(count)))
    return min(range(root, 2 * root + 1), key=lambda columns: (-count % columns, columns))


def _font(line: str, size: int) -> ImageFont.FreeTypeFont:
    return sized_font(font_path(line), size)


def text_width(line: str, size: int) -> int:
    """How wide a line is in a size, both in px."""
    font = _font(line, size)
    return math.ceil(max(font.getlength(line), font.getbbox(line)[2]))


def _widest(texts: Sequence[str], size: int = LABEL) -> int:
    return max((text_width(drawable(line), size) for text in texts for line in text.split("\n")), default=0)


def _line_height(size: int) -> int:
    return math.ceil(_font("", size).getbbox("Åjg|")[3]) + 3


def wrapped(text: str, width: int, size: int = LABEL) -> list[str]:
    """Break a text at spaces, and a word too wide for a line between its letters."""
    lines = []
    for paragraph in map(drawable, text.split("\n")):
        line = ""
        for word in paragraph.split(" "):
            joined = f"{line} {word}" if line else word
            if text_width(joined, size) > width:
                *full, joined = _pieces(word, width, size)
                lines += [line, *full] if line else full
            line = joined
        lines.append(line)
    return lines


def _pieces(word: str, width: int, size: int) -> list[str]:
    pieces = [""]
    for letter in word:
        if pieces[-1] and text_width(pieces[-1] + letter, size) > width:
            pieces.append("")
        pieces[-1] += letter
    return pieces
