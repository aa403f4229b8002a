"""The cells of atlases that a run folder holds: atlas.csv and atlas_photos.csv, read as data of strangers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from featviz.errors import one_line, printable
from featviz.pages.tables import TableReader, number, whole_number
from featviz.results.atlas_rows import CELLS, CLASSES, PHOTOS, UNITS, CellPhotoRow

MOST_GRID, MOST_LEVELS = 4096, 16
MOST_UNITS = 10**7  # a unit's number lies below


@dataclass(frozen=True)
class CellRecord:
    """A line of atlas.csv, without the strongest units and classes."""

    layer: str
    module: str
    level: int
    grid: int
    column: int
    row: int
    filter: int
    count: int
    points: int
    image: str
    method: str = ""
    model: str = ""
    weights: str = ""


@dataclass(frozen=True)
class AtlasCell:
    """A cell: its line, what is strongest in it, and its photos, each with the file in the run's folder."""

    record: CellRecord
    units: tuple[tuple[int, float], ...]
    classes: tuple[tuple[int, str, float], ...]
    photos: tuple[CellPhotoRow, ...]


def read_cells(reader: TableReader, images: Mapping[tuple[str, int], str]) -> dict[str, list[AtlasCell]]:
    """The cells of a run's atlases by module, from coarse to fine; a damaged line is left out, and said.

    ``images`` are the files of pictures by module and number, for the table of a run that was ended before its last
    picture does not name them.
    """
    photos: dict[tuple[str, int], list[CellPhotoRow]] = {}
    for photo in reader.records(PHOTOS, CellPhotoRow):
        photos.setdefault((photo.module, photo.filter), []).append(photo)
    cells: dict[str, list[AtlasCell]] = {}
    for record, rest in reader.records_and_rest(CELLS, CellRecord):
        try:
            _check(record)
            strongest = _units(rest), _classes(rest)
        except (KeyError, ValueError) as error:
            reader.problems.append(printable(f"{CELLS} is damaged ({one_line(error, 120)})"))
            continue
        image = record.image or images.get((printable(record.module), record.filter), "")
        of_cell = sorted(photos.get((record.module, record.filter), []), key=lambda photo: photo.rank)
        cells.setdefault(printable(record.module), []).append(
            AtlasCell(replace(record, image=image), *strongest, tuple(of_cell))
        )
    return {module: sorted(some, key=_place) for module, some in cells.items()}


def _place(cell: AtlasCell) -> tuple[int, int, int, int]:
    record = cell.record
    return record.level, record.grid, record.column, record.row


def _check(record: CellRecord) -> None:
    """Raise ValueError for a cell that lies in no grid."""
    if not (0 <= record.level < MOST_LEVELS and 1 <= record.grid <= MOST_GRID and record.count >= 1):
        raise ValueError(f"level {record.level} of {record.grid} cells a side, {record.count} points")
    if not (0 <= record.column < record.grid and 0 <= record.row < record.grid):
        raise ValueError(f"column {record.column}, row {record.row} of a grid of {record.grid}")


def _units(rest: Mapping[str, str]) -> tuple[tuple[int, float], ...]:
    ranks = [rank for rank in range(1, UNITS + 1) if rest.get(f"unit_{rank}")]
    units = [(whole_number(rest[f"unit_{rank}"]), number(rest[f"above_{rank}"])) for rank in ranks]
    return tuple(unit for unit in units if 0 <= unit[0] < MOST_UNITS)


def _classes(rest: Mapping[str, str]) -> tuple[tuple[int, str, float], ...]:
    ranks = [rank for rank in range(1, CLASSES + 1) if rest.get(f"class_{rank}")]
    return tuple(
        (whole_number(rest[f"class_{rank}"]), printable(rest[f"name_{rank}"]), number(rest[f"probability_{rank}"]))
        for rank in ranks
    )
