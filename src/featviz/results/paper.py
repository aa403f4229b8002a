"""A figure for a paper: a table of pictures with its labels, as PDF, SVG or PNG.

Everything lies on whole px of a PNG at 300 dpi, so that no format resamples the pictures again. Fonts are embedded in
PDF, and are outlines in SVG. No file says when it was made: equal figures have equal bytes.
"""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from featviz.errors import FeatvizError
from featviz.reading import expanded
from featviz.results.files import write_file
from featviz.results.fonts import font_path
from featviz.results.plots import font_of
from featviz.results.sheets import BLANK, FAINT, INK, Cell, fit, text_width, wrapped

# isort: split
# fonts imports matplotlib whatever backend a notebook has set
from matplotlib import rc_context
from matplotlib.figure import Figure

DPI = 300
POINTS = 8  # of all texts, as in the captions of most journals
LINE = round(1.25 * POINTS * DPI / 72)  # px
GAP, LABEL_GAP = 12, 24  # px: between pictures, and beside labels
WIDEST_LABEL, WIDEST_TILE = round(1.1 * DPI), round(1.6 * DPI)  # px
FINE = 10  # texts are measured in so many times their size

#: What a file of each kind says of itself; None leaves a date out.
METADATA: Mapping[str, dict[str, Any]] = {
    ".pdf": {"Creator": "featviz", "Producer": "featviz", "CreationDate": None},
    ".svg": {"Creator": "featviz", "Date": None},
    ".png": {"Software": "featviz"},
}
SETTINGS: dict[Any, Any] = {"pdf.fonttype": 42, "svg.fonttype": "path", "svg.hashsalt": "featviz", "savefig.dpi": DPI}


@dataclass(frozen=True)
class Table:
    """Rows of cells, as many in each as there are column labels."""

    cells: Sequence[Sequence[Cell]]
    row_labels: Sequence[str]
    column_labels: Sequence[str]


@dataclass(frozen=True)
class PaperFigure:
    """A figure that can be looked at in a notebook, and saved."""

    figure: Figure

    def __repr__(self) -> str:
        """Its size in a paper."""
        width, height = self.figure.get_size_inches()
        return f"PaperFigure({width:.2f} x {height:.2f} inches)"

    def _repr_png_(self) -> bytes:
        """What a notebook shows."""
        return self.content(".png")

    def content(self, kind: str) -> bytes:
        """The bytes of a file, ``kind`` being ``.pdf``, ``.svg`` or ``.png``."""
        content = io.BytesIO()
        with rc_context(SETTINGS):
            self.figure.savefig(content, format=kind[1:], dpi=DPI, metadata=METADATA[kind])
        return content.getvalue()

    def save(self, path: str | Path) -> list[Path]:
        """Write a file of the kind that its ending says; without one PDF, SVG and PNG. Return their paths.

        Raises:
            FeatvizError: the ending is another one, or a file cannot be written.
        """
        path = expanded(path)
        if path.suffix.lower() in METADATA:
            files = [path]
        elif path.suffix:
            raise FeatvizError(setting="output", got=str(path), expected=f"a name with {', '.join(METADATA)}, or none")
        else:
            files = [path.with_name(path.name + kind) for kind in METADATA]
        for file in files:
            write_file(file, self.content(file.suffix.lower()))
        return files


def draw(table: Table, width: float) -> PaperFigure:
    """Draw a table as wide as ``width`` inches, or narrower, where few pictures would be larger than 1.6 inches.

    Raises:
        FeatvizError: it is too narrow for its pictures.
    """
    return PaperFigure(_Drawing(table, round(width * DPI)).draw())


class _Drawing:
    """Where everything is, in px from the upper left corner."""

    def __init__(self, table: Table, width: int) -> None:
        self.table = table
        columns = len(table.column_labels)
        self.row_lines = [_lines(label, WIDEST_LABEL) for label in table.row_labels]
        self.left = max((_measured(line) for lines in self.row_lines for line in lines), default=0)
        self.left += LABEL_GAP if self.left else 0
        self.tile = min(WIDEST_TILE, (width - self.left - GAP * (columns - 1)) // columns)
        if self.tile < LINE:
            what = f"{width / DPI:g} inches are too narrow for {columns} pictures beside each other"
            raise FeatvizError(what, setting="width", got=width / DPI)
        self.column_lines = [_lines(label, self.tile) for label in table.column_labels]
        self.top = LINE * max(map(len, self.column_lines), default=0) + (LABEL_GAP // 2 if columns else 0)
        self.width = self.left + columns * (self.tile + GAP) - GAP
        self.captions = [[_lines(cell.label, self.tile) for cell in row] for row in table.cells]
        self.heights = [self.tile + LINE * max(map(len, row), default=0) + GAP for row in self.captions]
        self.height = self.top + sum(self.heights) - GAP
        self.figure = Figure(figsize=(self.width / DPI, self.height / DPI), dpi=DPI)

    def draw(self) -> Figure:
        """Draw the labels of columns, then each row behind its label."""
        for at, lines in enumerate(self.column_lines):
            self._write(
                self._x(at) + self.tile / 2, self.top - LABEL_GAP // 2 - LINE * len(lines), lines, align="center"
            )
        y = self.top
        for row, lines, captions, height in zip(
            self.table.cells, self.row_lines, self.captions, self.heights, strict=True
        ):
            self._write(0, y + (self.tile - LINE * len(lines)) / 2, lines)
            for at, (cell, caption) in enumerate(zip(row, captions, strict=True)):
                self._place(cell, self._x(at), y)
                self._write(self._x(at) + self.tile / 2, y + self.tile, caption, align="center")
            y += height
        return self.figure

    def _x(self, column: int) -> int:
        return self.left + column * (self.tile + GAP)

    def _place(self, cell: Cell, x: int, y: int) -> None:
        """A picture in the middle of its square; a word on a gray one."""
        if isinstance(cell.tile, Image.Image):
            picture = fit(cell.tile, self.tile)
            left, top = (self.tile - picture.width) // 2, (self.tile - picture.height) // 2
            self._picture(picture, x + left, y + top)
        elif cell.tile:
            self._picture(Image.new("RGB", (self.tile, self.tile), BLANK), x, y)
            lines = _lines(cell.tile, self.tile)
            middle = y + (self.tile - LINE * len(lines)) / 2
            self._write(x + self.tile / 2, middle, lines, align="center", color=FAINT)

    def _picture(self, picture: Image.Image, x: int, y: int) -> None:
        bottom = self.height - y - picture.height
        box = (x / self.width, bottom / self.height, picture.width / self.width, picture.height / self.height)
        axes = self.figure.add_axes(box)
        axes.imshow(np.asarray(picture), interpolation="none", aspect="auto")
        axes.set_axis_off()

    def _write(self, x: float, y: float, lines: Sequence[str], align: str = "left", color: str = INK) -> None:
        for at, line in enumerate(lines):
            place = x / self.width, 1 - (y + (at + 0.5) * LINE) / self.height
            style = {"fontsize": POINTS, "color": color, "parse_math": False, **font_of(font_path(line))}
            self.figure.text(*place, line, ha=align, va="center", **style)


def _lines(text: str, width: int) -> list[str]:
    """A text in lines that are no wider than so many px."""
    return wrapped(text, round(width * FINE * 72 / DPI), POINTS * FINE) if text else []


def _measured(line: str) -> int:
    """How wide a line is, in px."""
    return math.ceil(text_width(line, POINTS * FINE) / FINE * DPI / 72)
