"""The tables of task=exemplars: exemplars.csv, statistics.csv, skipped.csv, written and read again."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from math import isfinite
from pathlib import Path
from typing import Any

from featviz.errors import FeatvizError, one_line
from featviz.models.model import Model
from featviz.photos.exemplars import FIGURES, PERCENTILES, ActivationStatistics, Box, Exemplar, Exemplars
from featviz.reading import LONGEST_TABLE, check_relative, read_bytes
from featviz.results.files import file_name, from_csv_cell, write_records, write_table


@dataclass(frozen=True)
class Origin:
    """Which network the exemplars are of: ``network`` is a checksum of its weights, ``modules`` {layer: module}."""

    model: str
    weights: str
    network: str
    modules: Mapping[str, str]

    @classmethod
    def of(cls, model: Model, modules: Mapping[str, str]) -> Origin:
        """The origin of exemplars of a model."""
        return cls(model.name, model.weights, model.checksum, modules)


@dataclass(frozen=True)
class ExemplarRow:
    """A line of exemplars.csv: a photo of a filter, the box of its patch (px), and the files in the run's folder."""

    model: str
    weights: str
    layer: str
    module: str
    filter: int
    rank: int
    by: str
    mean: float
    max: float
    row: int
    column: int
    photo: str
    left: int
    top: int
    right: int
    bottom: int
    patch: str
    image: str

    @classmethod
    def of(cls, exemplar: Exemplar, origin: Origin, by: str, patch: str, image: str) -> ExemplarRow:
        """The line of an exemplar."""
        left, top, right, bottom = exemplar.box
        return cls(
            model=origin.model,
            weights=origin.weights,
            layer=exemplar.layer,
            module=origin.modules[exemplar.layer],
            filter=exemplar.filter,
            rank=exemplar.rank,
            by=by,
            mean=exemplar.mean,
            max=exemplar.max,
            row=exemplar.row,
            column=exemplar.column,
            photo=str(exemplar.photo),
            left=left,
            top=top,
            right=right,
            bottom=bottom,
            patch=patch,
            image=image,
        )

    @property
    def box(self) -> Box:
        """The patch's box in the photo."""
        return self.left, self.top, self.right, self.bottom

    @property
    def figure(self) -> float:
        """The figure by which the photo is strong."""
        return self.max if self.by == "max" else self.mean


@dataclass(frozen=True)
class StatisticsRow:
    """A line of statistics.csv: a figure of a filter over all photos; the percentiles have columns p0 to p100."""

    model: str
    weights: str
    network: str
    layer: str
    module: str
    filter: int
    figure: str
    photos: int
    mean: float
    std: float
    percentiles: tuple[float, ...]

    @classmethod
    def of(cls, statistics: ActivationStatistics, origin: Origin) -> StatisticsRow:
        """The line of a filter's statistics."""
        return cls(
            model=origin.model,
            weights=origin.weights,
            network=origin.network,
            layer=statistics.layer,
            module=origin.modules[statistics.layer],
            filter=statistics.filter,
            figure=statistics.figure,
            photos=statistics.photos,
            mean=statistics.mean,
            std=statistics.std,
            percentiles=tuple(statistics.percentiles),
        )

    @property
    def line(self) -> dict[str, Any]:
        """As in the table."""
        percentiles = {f"p{percent}": value for percent, value in zip(PERCENTILES, self.percentiles, strict=True)}
        return {name: value for name, value in asdict(self).items() if name != "percentiles"} | percentiles


@dataclass(frozen=True)
class SkippedRow:
    """A line of skipped.csv: a photo that could not be used, and why."""

    photo: str
    reason: str


SCALARS = tuple(field.name for field in fields(StatisticsRow) if field.name != "percentiles")
STATISTICS = (*SCALARS, *(f"p{percent}" for percent in PERCENTILES))


def write_tables(folder: Path, exemplars: Exemplars, origin: Origin, by: str) -> list[ExemplarRow]:
    """Write the three tables; return the rows of ``exemplars.csv``."""
    rows = _exemplar_rows(exemplars.strongest, origin, by)
    write_records(folder / "exemplars.csv", ExemplarRow, rows)
    statistics = [StatisticsRow.of(one, origin) for one in exemplars.statistics]
    write_table(folder / "statistics.csv", STATISTICS, [row.line for row in statistics])
    if exemplars.skipped:
        skipped = [SkippedRow(str(file), reason) for file, reason in exemplars.skipped.items()]
        write_records(folder / "skipped.csv", SkippedRow, skipped)
    return rows


def _exemplar_rows(strongest: Sequence[Exemplar], origin: Origin, by: str) -> list[ExemplarRow]:
    photos = sorted({exemplar.photo for exemplar in strongest})
    images = {photo: f"photos/{number:06d}.jpg" for number, photo in enumerate(photos)}
    digits = max(2, len(str(max(exemplar.rank for exemplar in strongest))))
    rows = []
    for exemplar in strongest:
        name = f"{exemplar.filter:04d}_{exemplar.rank:0{digits}d}.png"
        patch = f"patches/{file_name(exemplar.layer)}/{name}"
        rows.append(ExemplarRow.of(exemplar, origin, by, patch, images[exemplar.photo]))
    return rows


def read_exemplars(folder: Path) -> list[ExemplarRow]:
    """Read ``exemplars.csv`` of a folder of task=exemplars; FeatvizError where it is none, or damaged."""
    path = folder / "exemplars.csv"
    lines = _read_table(path, [field.name for field in fields(ExemplarRow)])
    try:
        for line in lines:
            check_relative(line["patch"], ".png")
            check_relative(line["image"], ".jpg")
    except ValueError as error:
        raise FeatvizError(f"cannot read {path}: {error}", setting="exemplars", got=folder) from error
    rows = [ExemplarRow(**_typed(ExemplarRow, line, path)) for line in lines]
    for row in rows:
        if row.by not in FIGURES:
            raise FeatvizError(f"cannot read {path}: unknown by '{row.by}'", setting="exemplars", known=FIGURES)
    return rows


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
        raise FeatvizError(f"{subject}: unknown figure '{row.figure}'", setting="exemplars", known=FIGURES)
    if not all(map(isfinite, (row.mean, row.std, *row.percentiles))):
        raise FeatvizError(f"{subject} has a number that is not finite", setting="exemplars")
    if list(row.percentiles) != sorted(row.percentiles):
        raise FeatvizError(f"{subject} has percentiles that do not rise", setting="exemplars")


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
        raise FeatvizError(f"{path.name} of exemplars holds what is no number: {error}") from error


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
        raise FeatvizError(f"cannot read {path}: {one_line(error)}") from error
    if missing := [name for name in columns if not rows or rows[0].get(name) is None]:
        what = f"{path} is no table of task=exemplars: it has no {missing[0]}"
        raise FeatvizError(what, setting="exemplars", got=path.parent)
    return rows
