"""The tables of an atlas: its cells, the photos behind each, and its points."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from featviz.photos.atlas.cells import Cell
from featviz.photos.atlas.points import Points
from featviz.results.atlas_rows import CELLS, CLASSES, PHOTOS, POINTS, UNITS, CellPhotoRow
from featviz.results.files import write_records, write_table

SCALARS = (
    "model",
    "weights",
    "layer",
    "module",
    "level",
    "grid",
    "column",
    "row",
    "filter",
    "count",
    "points",
    "method",
)
COLUMNS = (
    *(*SCALARS, "image"),
    *(f"{name}_{rank}" for rank in range(1, UNITS + 1) for name in ("unit", "above")),
    *(f"{name}_{rank}" for rank in range(1, CLASSES + 1) for name in ("class", "name", "probability")),
)


@dataclass(frozen=True)
class LayerAtlas:
    """The atlas of one layer.

    Attributes:
        layer: its name, as asked for.
        module: the module of that name.
        points: its activations.
        places: where they lie, (N, 2) in the unit square, x to the right and y down.
        method: how they were laid out, ``UMAP`` or ``PCA``.
        cells: of all levels. The picture of each is that of the filter of its number in results.csv.
        classes: the names of the network's classes; empty where it has none.
    """

    layer: str
    module: str
    points: Points
    places: np.ndarray[Any, Any]
    method: str
    cells: Sequence[Cell]
    classes: Sequence[str] = ()

    @property
    def vectors(self) -> np.ndarray[Any, Any]:
        """The means of all cells, (cells, filters)."""
        return np.stack([cell.mean for cell in self.cells])

    def class_name(self, number: int) -> str:
        """What a class is called."""
        return self.classes[number] if self.classes else f"class {number}"


@dataclass(frozen=True)
class PointRow:
    """A line of points.csv: where in which photo an activation is from, and where in the plane it lies."""

    layer: str
    module: str
    photo: str
    row: int
    column: int
    x: float
    y: float


def write_points(folder: Path, layers: Sequence[LayerAtlas]) -> None:
    """Write ``points.csv``, in which points are in the order of ``Points``."""
    rows = [
        PointRow(one.layer, one.module, str(photo), row, column, round(x, 6), round(y, 6))
        for one in layers
        for photo, row, column, (x, y) in zip(
            one.points.photos, one.points.rows.tolist(), one.points.columns.tolist(), one.places.tolist(), strict=True
        )
    ]
    write_records(folder / POINTS, PointRow, rows)


def write_cells(
    folder: Path, layers: Sequence[LayerAtlas], model: Mapping[str, str], images: Mapping[tuple[str, int], str]
) -> None:
    """Write ``atlas.csv``; ``images`` are the pictures' files by layer and number, ``model`` its name and weights."""
    rows = [
        {**model, **_cell_row(one, number, cell), "image": images.get((one.layer, number), "")}
        for one in layers
        for number, cell in enumerate(one.cells)
    ]
    write_table(folder / CELLS, COLUMNS, rows)


def _cell_row(one: LayerAtlas, number: int, cell: Cell) -> dict[str, Any]:
    return {
        "layer": one.layer,
        "module": one.module,
        "level": cell.level,
        "grid": cell.grid,
        "column": cell.column,
        "row": cell.row,
        "filter": number,
        "count": len(cell.points),
        "points": len(one.points),
        "method": one.method,
        **dict.fromkeys(COLUMNS[len(SCALARS) :], ""),
        **dict(_strongest(one, cell)),
    }


def _strongest(one: LayerAtlas, cell: Cell) -> Iterator[tuple[str, int | float | str]]:
    for rank, (unit, above) in enumerate(cell.units, 1):
        yield from ((f"unit_{rank}", unit), (f"above_{rank}", round(above, 4)))
    for rank, (number, share) in enumerate(cell.classes, 1):
        yield from ((f"class_{rank}", number), (f"name_{rank}", one.class_name(number)))
        yield f"probability_{rank}", round(share, 4)


def write_cell_photos(folder: Path, layers: Sequence[LayerAtlas], count: int) -> dict[Path, str]:
    """Write ``atlas_photos.csv``, at most ``count`` photos a cell; return names of photos in the folder, by files."""
    shown = [
        (one, number, rank, photo)
        for one in layers
        for number, cell in enumerate(one.cells)
        for rank, photo in enumerate(_photos_of(one.points, cell, count), 1)
    ]
    images = {photo: f"photos/{at:06d}.jpg" for at, photo in enumerate(sorted({photo for *_, photo in shown}))}
    rows = [
        CellPhotoRow(one.layer, one.module, number, rank, str(photo), images[photo])
        for one, number, rank, photo in shown
    ]
    write_records(folder / PHOTOS, CellPhotoRow, rows)
    return images


def _photos_of(points: Points, cell: Cell, count: int) -> list[Path]:
    """The photos of a cell, each once, the nearest to its mean first."""
    return list(dict.fromkeys(points.photos[at] for at in cell.points))[:count]
