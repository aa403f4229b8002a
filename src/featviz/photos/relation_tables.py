"""The tables of what a pass over photos has gathered of each filter's distribution."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from featviz.photos.exemplars import Exemplars
from featviz.photos.sample import photos_of_tenths
from featviz.photos.search import BINS
from featviz.photos.table_rows import Origin
from featviz.results.files import write_records, write_table
from featviz.results.relation_rows import TenthRow

HISTOGRAMS, TENTHS = "histograms.csv", "tenths.csv"
HISTOGRAM_COLUMNS = ("layer", "module", "filter", "figure", "low", "high", *(f"c{at}" for at in range(BINS)))


def write_distributions(folder: Path, found: Exemplars, origin: Origin, by: str, images: Mapping[Path, str]) -> None:
    """Write ``histograms.csv``, and ``tenths.csv`` of the figure ``by``; ``images`` names photos in the folder."""
    lines = [
        {
            "layer": one.layer,
            "module": origin.modules[one.layer],
            "filter": one.filter,
            "figure": one.figure,
            "low": one.low,
            "high": one.high,
            **{f"c{at}": count for at, count in enumerate(one.counts)},
        }
        for one in found.histograms
    ]
    write_table(folder / HISTOGRAMS, HISTOGRAM_COLUMNS, lines)
    write_records(folder / TENTHS, TenthRow, _tenth_rows(found, origin, by, images))


def _tenth_rows(found: Exemplars, origin: Origin, by: str, images: Mapping[Path, str]) -> Sequence[TenthRow]:
    percentiles = {(one.layer, one.filter): one.percentiles for one in found.statistics if one.figure == by}
    rows = []
    for layer, gathered in found.relations.items():
        for at, number in enumerate(gathered.filters):
            for one in photos_of_tenths(gathered.sample[:, at], percentiles[layer, number]):
                photo = found.references[one.place]
                place = (layer, origin.modules[layer], number, one.tenth)
                rows.append(TenthRow(*place, one.value, str(photo), images[photo]))
    return rows
