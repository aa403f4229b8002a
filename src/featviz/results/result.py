"""Finished pictures with their rows, and how a notebook shows them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image
from torch import Tensor

from featviz.errors import FeatvizError, at_least
from featviz.reading import expanded
from featviz.results import sheets
from featviz.results.display import COLORS, Display
from featviz.results.files import png
from featviz.results.folder import RunFolder
from featviz.results.html import html_grid
from featviz.results.notebook import notebook
from featviz.results.rows import Row, heading, is_doubtful, outcome, subject
from featviz.results.units import Units

MOST_SHOWN = 64  # pictures in a notebook, whose file holds them


@dataclass(repr=False)
class Result:
    """The pictures of a run.

    Attributes:
        images: (N, C, H, W) in [0, 1] on the CPU, or films (N, C, T, H, W); of a network whose values have no bounds,
            the values.
        rows: one row of ``results.csv`` for each.
        values: what the network sees of the pictures, in their shape: minus its mean, over its std; unrounded with
            ``raw=true``, and where values are no colors. None where it is not known.
    """

    images: Tensor
    rows: list[Row] = field(default_factory=list)
    values: Tensor | None = None
    display: Display = COLORS
    units: Units | None = None  # the network's own, where pictures are saved in these

    def __repr__(self) -> str:
        """What the pictures are of, and how they came out: no numbers of their pixels."""
        count = len(self.images)
        size = "x".join(str(side) for side in self.images.shape[2:])
        what = "film" if self.images.ndim == 5 else "picture"
        counts = Counter(row["status"] for row in self.rows)
        parts = [f"{count} {what}{'s' * (count != 1)}" + (f" of {size} px" if size else "")]
        parts += [heading(self.rows)] if self.rows else []
        parts += [", ".join(f"{number} {status}" for status, number in sorted(counts.items()))] if counts else []
        return f"Result({'; '.join(parts)})"

    def _repr_html_(self) -> str:
        """A labelled grid, which a notebook shows."""
        return html_grid(self.cells()[:MOST_SHOWN], heading(self.rows), max(0, len(self.images) - MOST_SHOWN))

    def to_pil(self) -> list[Image.Image]:
        """The pictures as Pillow's, RGB or gray, rounded to 8 bits; what is not finite is black."""
        return [self.display.image(picture) for picture in self.images]

    def cells(self, labels: Sequence[str] | None = None) -> list[sheets.Cell]:
        """The pictures as cells of a sheet; one that is not finite is the word for it.

        Raises:
            FeatvizError: there are not as many labels as pictures.
        """
        found = [self._cell(at) for at in range(len(self.images))]
        if labels is None:
            return found
        if isinstance(labels, str) or len(labels) != len(found):
            raise FeatvizError(setting="labels", got=labels, expected=f"a list of {len(found)}, one for each picture")
        return [sheets.Cell(cell.tile, str(label), cell.warn) for cell, label in zip(found, labels, strict=True)]

    def grid(self, columns: int | None = None, labels: Sequence[str] | None = None) -> Image.Image:
        """One picture of all of them, each with its label below, as ``grid_<layer>.png`` is.

        Args:
            columns: pictures beside each other; as many as make it about square, if none is given.
            labels: a text for each picture; filter and activation, if none are given.

        Raises:
            FeatvizError: there are not as many labels as pictures, or no pictures at all.
        """
        if not len(self.images):
            raise FeatvizError("there are no pictures")
        if columns is not None:
            at_least("columns", columns, 1)
        return sheets.sheet_of(self.cells(labels), heading(self.rows) or None, columns)

    def show(self, columns: int | None = None, labels: Sequence[str] | None = None) -> None:
        """Show the grid: in a notebook below the cell, elsewhere in the system's viewer of pictures."""
        picture = self.grid(columns, labels)
        if notebook() is None:
            picture.show()
            return
        from IPython.display import Image as Shown
        from IPython.display import display

        display(Shown(data=png(picture)))

    def save(self, folder: str | Path) -> Path:
        """Write the pictures as PNG, ``results.csv`` and ``grid_<layer>.png``, as a run does; return the folder.

        Raises:
            FeatvizError: the folder holds pictures already, or cannot be written.
        """
        path = expanded(folder)
        if len(self.rows) != len(self.images):
            raise FeatvizError(f"there are {len(self.rows)} rows of {len(self.images)} pictures", setting="rows")
        if (path / "results.csv").exists():
            raise FeatvizError(
                f"{path} holds pictures already", setting="folder", got=str(path), expected="a new folder"
            )
        saved = RunFolder(path)
        saved.save_chunk(self.images, self.rows, None, self.display, self.units)
        saved.write_grids()
        return path

    def _cell(self, at: int) -> sheets.Cell:
        row = self.rows[at] if at < len(self.rows) else None
        label = f"{subject(row)}   {outcome(row)}" if row else f"picture {at}"
        finite = bool(self.images[at].isfinite().all())
        return sheets.Cell(
            self.display.image(self.images[at]) if finite else "nan", label, bool(row and is_doubtful(row))
        )
