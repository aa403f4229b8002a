"""The tables of task=exemplars, written and read again."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from math import isfinite
from pathlib import Path
from typing import Any, TypeVar

from featviz.errors import FeatvizError, one_line
from featviz.photos.exemplars import FIGURES, PERCENTILES, Exemplar, Exemplars
from featviz.photos.table_rows import ExemplarRow, Origin, ReferenceRow, SkippedRow, StatisticsRow
from featviz.reading import LONGEST_TABLE, check_relative, read_bytes
from featviz.results.files import file_name, from_csv_cell, write_records, write_table
from featviz.results.relation_rows import WeakestRow

Record = TypeVar("Record", ExemplarRow, WeakestRow, ReferenceRow)

SCALARS = tuple(field.name for field in fields(StatisticsRow) if field.name != "percentiles")
STATISTICS = (*SCALARS, *(f"p{percent}" for percent in PERCENTILES))


@dataclass(frozen=True)
class Tables:
    """What has been written: the lines of exemplars.csv, and the names of photos in the run's folder, by the files."""

    exemplars: list[ExemplarRow]
    images: Mapping[Path, str]


def write_tables(folder: Path, found: Exemplars, references: Sequence[Path], origin: Origin, by: str) -> Tables:
    """Write all of them; ``references`` are photos that stand for all."""
    photos = sorted({one.photo for one in (*found.strongest, *found.weakest)} | {*references})
    images = {photo: f"photos/{number:06d}.jpg" for number, photo in enumerate(photos)}
    rows = _exemplar_rows(found.strongest, origin, by, images)
    write_records(folder / "exemplars.csv", ExemplarRow, rows)
    write_records(folder / "weakest.csv", WeakestRow, [_weakest_row(one, origin, by, images) for one in found.weakest])
    named = [ReferenceRow(str(photo), images[photo]) for photo in references]
    write_records(folder / "references.csv", ReferenceRow, named)
    statistics = [StatisticsRow.of(one, origin) for one in found.statistics]
    write_table(folder / "statistics.csv", STATISTICS, [row.line for row in statistics])
    if found.skipped:
        skipped = [SkippedRow(str(file), reason) for file, reason in found.skipped.items()]
        write_records(folder / "skipped.csv", SkippedRow, skipped)
    return Tables(rows, images)


def _exemplar_rows(
    strongest: Sequence[Exemplar], origin: Origin, by: str, images: Mapping[Path, str]
) -> list[ExemplarRow]:
    digits = max(2, len(str(max(exemplar.rank for exemplar in strongest))))
    rows = []
    for exemplar in strongest:
        name = f"{exemplar.filter:04d}_{exemplar.rank:0{digits}d}.png"
        patch = f"patches/{file_name(exemplar.layer)}/{name}"
        rows.append(ExemplarRow.of(exemplar, origin, by, patch, images[exemplar.photo]))
    return rows


def _weakest_row(one: Exemplar, origin: Origin, by: str, images: Mapping[Path, str]) -> WeakestRow:
    module, image = origin.modules[one.layer], images[one.photo]
    return WeakestRow(one.layer, module, one.filter, one.rank, by, one.mean, one.max, str(one.photo), image)


def read_exemplars(folder: Path) -> list[ExemplarRow]:
    """Read ``exemplars.csv`` of a folder of task=exemplars; FeatvizError where it is none, or damaged."""
    rows = _records(folder / "exemplars.csv", ExemplarRow)
    for row in rows:
        if row.by not in FIGURES:
            what = f"cannot read {folder / 'exemplars.csv'}: unknown by '{row.by}'"
            raise FeatvizError(what, setting="exemplars", got=row.by, known=FIGURES)
    return rows


def read_weakest(folder: Path) -> list[WeakestRow]:
    """Read ``weakest.csv`` of a folder of task=exemplars; FeatvizError where it is none, or damaged."""
    return _records(folder / "weakest.csv", WeakestRow)


def read_references(folder: Path) -> list[ReferenceRow]:
    """Read ``references.csv`` of a folder of task=exemplars; FeatvizError where it is none, or damaged."""
    return _records(folder / "references.csv", ReferenceRow)


def _records(path: Path, kind: type[Record]) -> list[Record]:
    """The lines of a table as dataclasses; names of files in them lie in the table's folder."""
    lines = _read_table(path, [field.name for field in fields(kind) if field.default is MISSING])
    try:
        for line in lines:
            for name, ending in {"patch": ".png", "image": ".jpg"}.items():
                if name in line:
                    check_relative(line[name], ending)
    except ValueError as error:
        raise FeatvizError(f"cannot read {path}: {error}", setting="exemplars", got=path.parent) from error
    return [kind(**_typed(kind, line, path)) for line in lines]


def read_statistics(folder: Path) -> list[StatisticsRow]:
    """Read ``statistics.csv`` of a folder of task=exemplars; FeatvizError where it is none, or damaged."""
    path = folder / "statistics.csv"
    rows = []
    for line in _read_table(path, STATISTICS):
        percentiles = tuple(_number(float, line[f"p{percent}"], path) for percent in PERCENTILES)
        rows.append(StatisticsRow(**_typed(StatisticsRow, line, path), percentiles=percentiles))
        _check_statistics(rows[-1], path)
    return rows


def _check_statistics(row: StatisticsRow, path: Path) -> None:
    """Refuse figures that no photos can have."""
    subject = f"cannot read {path}: filter {row.filter} of {row.layer}"
    if row.figure not in FIGURES:
        raise FeatvizError(
            f"{subject}: unknown figure '{row.figure}'", setting="exemplars", got=row.figure, known=FIGURES
        )
    if odd := [number for number in (row.mean, row.std, *row.percentiles) if not isfinite(number)]:
        raise FeatvizError(f"{subject} has a number that is not finite", setting="exemplars", got=odd[0])
    if list(row.percentiles) != sorted(row.percentiles):
        what = f"{subject} has percentiles that do not rise"
        raise FeatvizError(what, setting="exemplars", got=list(row.percentiles))


def _typed(kind: type, line: Mapping[str, str], path: Path) -> dict[str, Any]:
    """The scalar fields of a dataclass, from the texts of a table."""
    numbers: dict[str, type] = {"int": int, "float": float}
    types = {field.name: numbers.get(str(field.type)) for field in fields(kind) if field.name in line}
    return {
        name: _number(kind_of, line[name], path) if kind_of else from_csv_cell(line[name])
        for name, kind_of in types.items()
    }


def _number(kind: type, text: str, path: Path) -> Any:
    try:
        return kind(text)
    except ValueError as error:
        what = f"{path.name} of exemplars holds what is no number: {error}"
        raise FeatvizError(what, setting="exemplars", got=text) from error


def _read_table(path: Path, columns: Iterable[str]) -> list[dict[str, str]]:
    """Read one of the tables; FeatvizError where it is not there, or lacks columns."""
    if not path.parent.is_dir():
        raise FeatvizError(f"there is no folder '{path.parent}'", setting="exemplars", got=path.parent)
    try:
        text = read_bytes(path, LONGEST_TABLE).decode("utf-8-sig", "surrogateescape")
        rows = list(csv.DictReader(io.StringIO(text, newline="")))
    except FileNotFoundError as error:
        what = f"{path.parent} is no folder of task=exemplars: it has no {path.name}"
        raise FeatvizError(what, setting="exemplars", got=path.parent) from error
    except (OSError, csv.Error) as error:
        raise FeatvizError(f"cannot read {path}: {one_line(error)}", setting="exemplars", got=path.parent) from error
    if missing := [name for name in columns if not rows or rows[0].get(name) is None]:
        what = f"{path} is no table of task=exemplars: it has no {missing[0]}"
        raise FeatvizError(what, setting="exemplars", got=path.parent)
    return rows
