"""What a page of one unit shows beside its pictures and exemplars: other photos, classes, near units, inputs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from featviz.errors import printable
from featviz.pages.encoding import rounded
from featviz.pages.run_folder import Histogram, RunData, Unit
from featviz.pages.sources import Source
from featviz.results.relation_rows import InputRow

Record = TypeVar("Record")


def unit_data(sources: Sequence[Source], unit: Unit, layers: Mapping[str, str]) -> dict[str, Any]:
    """What is known of a unit beside its pictures and exemplars; each table from the first run that has it.

    ``layers`` are the ids of layers by module.
    """
    found: dict[str, Any] = {}
    if first := _first(sources, lambda run: run.weakest.get(unit)):
        found["weakest"] = [
            {
                "rank": one.rank,
                "photo": first[0].photo_name(one.photo),
                "image": first[0].addresses.of(one.image),
                "mean": rounded(one.mean),
                "max": rounded(one.max),
            }
            for one in sorted(first[1], key=lambda one: one.rank)
        ]
    if tenths := _first(sources, lambda run: run.tenths.get(unit)):
        found["tenths"] = [
            {
                "tenth": one.tenth,
                "value": rounded(one.value),
                "photo": tenths[0].photo_name(one.photo),
                "image": tenths[0].addresses.of(one.image),
            }
            for one in sorted(tenths[1], key=lambda one: one.tenth)
        ]
    if histograms := _first(sources, lambda run: run.histograms.get(unit)):
        found["histogram"] = _histogram(histograms[0].data, unit, histograms[1])
    if classes := _first(sources, lambda run: run.speaks_for.get(unit)):
        found["speaks_for"] = [
            {"class": one.number, "name": printable(one.record.name), "value": rounded(one.record.value)}
            for one in sorted(classes[1], key=lambda one: one.record.rank)
        ]
    found["nearest"] = {
        by: [[one.other, rounded(one.value)] for one in sorted(near, key=lambda one: one.rank)]
        for by in ("activations", "weights")
        for near in [_by(sources, lambda run: run.nearest.get(unit), by)]
        if near
    }
    found["inputs"] = _inputs(sources, unit, layers)
    return {name: value for name, value in found.items() if value}


def _first(
    sources: Sequence[Source], records_of: Callable[[RunData], list[Record] | None]
) -> tuple[Source, list[Record]] | None:
    """The first run that has records of a unit, with these."""
    return next(((source, records) for source in sources if (records := records_of(source.data))), None)


def _by(sources: Sequence[Source], records_of: Callable[[RunData], list[Any] | None], by: str) -> list[Any]:
    """The records of one kind, of the first run that has some."""
    for source in sources:
        if found := [one for one in records_of(source.data) or () if one.by == by]:
            return found
    return []


def _histogram(run: RunData, unit: Unit, histograms: Sequence[Histogram]) -> dict[str, Any]:
    """The histogram of the figure that exemplars are ranked by, the mean where that is not known."""
    exemplars = run.exemplars.get(unit)
    figure = exemplars[0].by if exemplars else "mean"
    chosen = next((one for one in histograms if one.record.figure == figure), histograms[0])
    statistics = {one.figure: one for one in run.statistics.get(unit, ())}
    known = statistics.get(chosen.record.figure)
    return {
        "figure": printable(chosen.record.figure),
        "low": rounded(chosen.record.low),
        "high": rounded(chosen.record.high),
        "counts": list(chosen.counts),
        "photos": known.photos if known else sum(chosen.counts),
        "mean": rounded(known.mean) if known else None,
        "std": rounded(known.std) if known else None,
    }


def _inputs(sources: Sequence[Source], unit: Unit, layers: Mapping[str, str]) -> dict[str, Any]:
    """The units of one earlier layer that excite and inhibit it: of that which most tables are about."""
    tables: dict[str, dict[str, list[InputRow]]] = {}
    for source in sources:
        in_run: dict[tuple[str, str], list[InputRow]] = {}
        for one in source.data.inputs.get(unit, ()):
            in_run.setdefault((printable(one.source), one.by), []).append(one)
        for (module, by), records in in_run.items():
            tables.setdefault(module, {}).setdefault(by, records)
    if not tables:
        return {}
    module = max(tables, key=lambda module: len(tables[module]))
    return {"source": layers.get(module), "module": module} | {
        by: {"exciting": list(_pairs(records, 1)), "inhibiting": list(_pairs(records, -1))}
        for by, records in tables[module].items()
        if by in ("gradient", "weights")
    }


def _pairs(records: Sequence[InputRow], sign: int) -> Iterator[list[Any]]:
    for one in sorted(records, key=lambda one: one.rank):
        if one.sign == sign:
            yield [one.source_filter, rounded(one.value)]
