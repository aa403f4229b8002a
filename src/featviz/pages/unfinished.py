"""What a run still owes: one that was ended early shows what it has, and says what it lacks."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from featviz.pages.network import MOST_BYTES
from featviz.pages.run_settings import RunSettings
from featviz.pages.tables import TableReader


def note_unfinished(reader: TableReader, settings: RunSettings, there: Collection[tuple[str, int]]) -> None:
    """Add to the problems of a run how many of its pictures have not been made.

    Args:
        reader: of the run's folder, whose manifest.json lists what the run makes.
        settings: a shard makes a share of that, which is no reason to say anything.
        there: the layers and numbers of the filters that have a line in results.csv.
    """
    if settings.shard:
        return
    owed = set(_owed(reader.json("manifest.json", MOST_BYTES)))
    if left := len(owed.difference(there)):
        have = "filters has" if left == 1 else "filters have"
        reader.problems.append(f"{left} of {len(owed)} {have} no picture yet: resume=FOLDER goes on with the run")


def _owed(manifest: Any) -> Iterator[tuple[str, int]]:
    layers = manifest.get("layers") if isinstance(manifest, Mapping) else None
    for layer in layers if isinstance(layers, list) else ():
        name, filters = (layer.get("name"), layer.get("filters")) if isinstance(layer, Mapping) else (None, None)
        if isinstance(name, str) and isinstance(filters, list):
            yield from ((name, number) for number in filters if isinstance(number, int))
