"""One run folder as pages need it: its network, its pictures, and what tables say of its units."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from featviz.errors import one_line, printable
from featviz.pages.atlas_cells import AtlasCell, read_cells
from featviz.pages.network import Network, read_network
from featviz.pages.records import (
    ClassRecord,
    ExemplarRecord,
    HistogramRecord,
    OnPhotoRecord,
    PictureRecord,
    StatisticsRecord,
)
from featviz.pages.run_settings import RunSettings, read_settings
from featviz.pages.tables import TableReader, number, whole_number
from featviz.pages.unfinished import note_unfinished
from featviz.results.relation_rows import InputRow, NearestRow, TenthRow, WeakestRow
from featviz.results.rows import CLASS, NAMES, PARTS, WEAK, layer_name

#: A module's name and the number of a unit.
Unit = tuple[str, int]
Record = TypeVar("Record")

BINS = 40  # of a histogram
MOST_UNITS = 10**7  # a unit's number lies below

#: Objectives whose pictures are numbered: they are of no unit, docs/objectives.md.
OF_NO_UNIT = (
    *("layer", "joint", "interpolation", "alignment", "direction", "direction_neuron", "localgroup_weight"),
    *("caricature", "inversion"),
)


@dataclass(frozen=True)
class Picture:
    """A picture of a unit: its line of results.csv, with the metrics that it has."""

    record: PictureRecord
    metrics: Mapping[str, float]
    class_name: str = ""

    @property
    def unit(self) -> Unit:
        """Whose it is; pictures of no unit have a layer of their own, named by the objective too."""
        module, number = _unit(self.record)
        return (f"{module} {self.record.objective}" if self.is_numbered else module), number

    @property
    def is_numbered(self) -> bool:
        """Whether its number is that of the picture, and of no unit."""
        return self.record.objective in OF_NO_UNIT

    @property
    def is_weak(self) -> bool:
        """Whether another filter's picture excites the unit more."""
        return any(part.startswith(WEAK) for part in self.record.reason.split(PARTS))


@dataclass(frozen=True)
class Histogram:
    """How a unit's activations are spread over photos: counts in bins of equal width from ``low`` to ``high``."""

    record: HistogramRecord
    counts: tuple[int, ...]


@dataclass(frozen=True)
class SpeaksFor:
    """A class whose logit a unit raises."""

    record: ClassRecord
    number: int


@dataclass(frozen=True)
class RunData:
    """What a run folder holds; tables that it does not have are empty.

    Attributes:
        folder: where it is.
        settings: how it was made.
        network: whose units it is of.
        names: what it calls a module: ``{"blocks.4": ("layer3",)}``.
        kinds: of layers that are none: pictures of an objective that is of no unit.
        atlases: the cells of its atlases by module; pictures of cells are not among the others.
        problems: what is damaged, a sentence each.
    """

    folder: Path
    settings: RunSettings
    network: Network
    names: Mapping[str, tuple[str, ...]]
    kinds: Mapping[str, str]
    pictures: Mapping[Unit, list[Picture]]
    exemplars: Mapping[Unit, list[ExemplarRecord]]
    weakest: Mapping[Unit, list[WeakestRow]]
    tenths: Mapping[Unit, list[TenthRow]]
    statistics: Mapping[Unit, list[StatisticsRecord]]
    histograms: Mapping[Unit, list[Histogram]]
    speaks_for: Mapping[Unit, list[SpeaksFor]]
    nearest: Mapping[Unit, list[NearestRow]]
    inputs: Mapping[Unit, list[InputRow]]
    atlases: Mapping[str, list[AtlasCell]]
    problems: list[str]

    @property
    def units(self) -> set[Unit]:
        """The units with pictures or exemplars."""
        return {*self.pictures, *self.exemplars}


def read_run(folder: Path) -> RunData:
    """Read a run folder; what is damaged in it is left out, and said in ``problems``."""
    reader = TableReader(folder)
    settings = read_settings(folder, reader.problems)
    pictures = list(_pictures(reader))
    note_unfinished(reader, settings, {(picture.record.layer, picture.record.filter) for picture in pictures})
    atlases = read_cells(reader, {_unit(picture.record): picture.record.image for picture in pictures})
    cells = [cell.record for some in atlases.values() for cell in some]
    pictures = [] if cells else pictures
    exemplars = reader.records("exemplars.csv", ExemplarRecord)
    statistics = reader.records("statistics.csv", StatisticsRecord)
    first = next(iter([*statistics, *(picture.record for picture in pictures), *exemplars, *cells]), None)
    return RunData(
        folder=folder,
        settings=settings,
        network=read_network(reader, first),
        names=_names([*(picture.record for picture in pictures), *exemplars, *cells]),
        kinds={picture.unit[0]: f"objective={picture.record.objective}" for picture in pictures if picture.is_numbered},
        pictures=_grouped((picture.unit, picture) for picture in pictures),
        exemplars=_by_unit(exemplars),
        weakest=_by_unit(reader.records("weakest.csv", WeakestRow)),
        tenths=_by_unit(reader.records("tenths.csv", TenthRow)),
        statistics=_by_unit(statistics),
        histograms=_grouped((_unit(one.record), one) for one in _histograms(reader)),
        speaks_for=_grouped((_unit(one.record), one) for one in _classes(reader)),
        nearest=_by_unit(reader.records("nearest.csv", NearestRow)),
        inputs=_by_unit(reader.records("inputs.csv", InputRow)),
        atlases=atlases,
        problems=reader.problems,
    )


def _pictures(reader: TableReader) -> Iterator[Picture]:
    """The lines of results.csv; of a picture that stands twice in it, the last one."""
    lines = reader.records_and_rest("results.csv", PictureRecord)
    last = {(record.layer, record.filter, record.variant): (record, rest) for record, rest in lines}
    on_photos = _by_unit(reader.records("top_filters.csv", OnPhotoRecord))
    for record, rest in last.values():
        if not 0 <= record.filter < MOST_UNITS:
            reader.problems.append(printable(f"results.csv is damaged (filter {record.filter})"))
            continue
        metrics = {**dict(_metrics(rest)), **_on_photos(on_photos.get(_unit(record), ()))}
        yield Picture(record, metrics, printable(rest.get(CLASS, "")))


def _on_photos(records: Sequence[OnPhotoRecord]) -> dict[str, float]:
    """How a unit answers to the photos of task=top_filters: its largest mean and its best rank."""
    if not records:
        return {}
    return {"photo_rank": min(one.rank for one in records), "photo_mean": max(one.mean for one in records)}


def _metrics(rest: Mapping[str, str]) -> Iterator[tuple[str, float]]:
    """The columns of a line that hold measurements."""
    for name, text in rest.items():
        if name in NAMES:
            continue
        try:
            value = number(text)
        except ValueError:
            continue
        if math.isfinite(value):
            yield printable(name), value


def _histograms(reader: TableReader) -> Iterator[Histogram]:
    for record, rest in reader.records_and_rest("histograms.csv", HistogramRecord):
        try:
            yield Histogram(record, tuple(whole_number(rest[f"c{at}"]) for at in range(BINS)))
        except (KeyError, ValueError) as error:
            reader.problems.append(printable(f"histograms.csv is damaged ({one_line(error)})"))
            return


def _classes(reader: TableReader) -> Iterator[SpeaksFor]:
    for record, rest in reader.records_and_rest("speaks_for.csv", ClassRecord):
        try:
            yield SpeaksFor(record, whole_number(rest[CLASS]))
        except (KeyError, ValueError) as error:
            reader.problems.append(printable(f"speaks_for.csv is damaged ({one_line(error)})"))
            return


def _names(records: Iterable[Any]) -> dict[str, tuple[str, ...]]:
    """What a run calls its layers, beside the names of their modules."""
    names: dict[str, dict[str, None]] = {}
    for record in records:
        module, layer = printable(record.module or record.layer), printable(layer_name(record.layer))
        names.setdefault(module, {}).update({} if layer == module else {layer: None})
    return {module: tuple(called) for module, called in names.items()}


def _unit(record: Any) -> Unit:
    return printable(record.module or record.layer), record.filter


def _by_unit(records: Iterable[Record]) -> dict[Unit, list[Record]]:
    return _grouped((_unit(record), record) for record in records)


def _grouped(pairs: Iterable[tuple[Unit, Record]]) -> dict[Unit, list[Record]]:
    groups: dict[Unit, list[Record]] = {}
    for unit, item in pairs:
        if 0 <= unit[1] < MOST_UNITS:
            groups.setdefault(unit, []).append(item)
    return groups
