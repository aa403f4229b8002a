"""The tables of how units relate, put together from those of a run's shards: each filter's lines from where it is."""

from __future__ import annotations

import csv
import io
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from pathlib import Path

from featviz.errors import one_line
from featviz.reading import LONGEST_TABLE, MOST_BYTES, read_bytes
from featviz.results.files import from_csv_cell, write_file, write_table
from featviz.results.relation_rows import InputRow, NearestRow
from featviz.results.rows import Row
from featviz.runs.network_table import NAME as NETWORK
from featviz.runs.relations import INPUTS, NEAREST
from featviz.runs.shards import Key, Part

log = logging.getLogger(__name__)

TABLES = {NEAREST: NearestRow, INPUTS: InputRow}


def merge_relations(sources: Mapping[Key, Part], parts: Sequence[Part], rows: Iterable[Row], folder: Path) -> None:
    """Write into ``folder`` what the folders of ``parts`` say of the filters that have ``rows``, in their order.

    A filter's lines come from the folder that its picture is from (``sources``), or else from the first that has some:
    an earlier merge may have been ended between its pictures and its tables. Folders without the tables, or with
    damaged ones, say nothing; the latter is told.
    """
    paths = list(dict.fromkeys(part.folder.path for part in parts))
    order = dict.fromkeys((row["layer"], row["filter"]) for row in rows)
    owners = {(layer, number): part.folder.path for (layer, number, _), part in sources.items()}
    for name, kind in TABLES.items():
        columns = [field.name for field in fields(kind)]
        found = {path: _by_filter(path / name, columns) for path in paths}
        lines = [next(filter(None, (found[path].get(key) for path in (owners[key], *paths))), []) for key in order]
        if any(lines):
            write_table(folder / name, columns, [line for of_filter in lines for line in of_filter])
    _bring_network(paths, folder)


def _bring_network(parts: Sequence[Path], folder: Path) -> None:
    for path in parts:
        if (path / NETWORK).is_file():
            write_file(folder / NETWORK, read_bytes(path / NETWORK, MOST_BYTES))
            return


def _by_filter(path: Path, columns: Sequence[str]) -> dict[tuple[str, int], list[dict[str, str]]]:
    lines: dict[tuple[str, int], list[dict[str, str]]] = {}
    for line in _lines(path, columns):
        lines.setdefault((line["layer"], int(line["filter"])), []).append(line)
    return lines


def _lines(path: Path, columns: Sequence[str]) -> list[dict[str, str]]:
    """The lines of a table, as text."""
    if not path.is_file():
        return []
    try:
        text = read_bytes(path, LONGEST_TABLE).decode("utf-8-sig", "surrogateescape")
        found = list(csv.DictReader(io.StringIO(text, newline="")))
        lines = [{name: from_csv_cell(line[name]) for name in columns} for line in found]
        for line in lines:
            int(line["filter"]), int(line["rank"]), float(line["value"])
    except (OSError, ValueError, LookupError, TypeError, AttributeError, csv.Error) as error:
        log.warning("%s is left out: %s", path, one_line(error))
        return []
    return lines
