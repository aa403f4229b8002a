"""Reads the tables of a run folder as data of strangers: a bad line or file is told, and the rest of it is used."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any, TypeVar, cast, get_type_hints

from featviz.errors import one_line, printable
from featviz.reading import LONGEST_TABLE, check_relative, inside, read_bytes
from featviz.results.files import from_csv_cell

LARGEST = 2**53  # a whole number that JavaScript has as well
LONGEST_NUMBER = 40  # characters
LONGEST_TEXT = 4096  # characters of a cell
FILES, ENDINGS = ("image", "patch"), (".png", ".jpg")  # columns that name files, and how those end

Record = TypeVar("Record")
Convert = Callable[[Sequence[str]], tuple[Any, ...]]


class TableReader:
    """The tables of one folder, which may be missing, and what is wrong with those that are there.

    Attributes:
        folder: the run folder.
        problems: a sentence for each table that is damaged.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.problems = list[str]()

    def records(self, name: str, kind: type[Record]) -> list[Record]:
        """The lines of a table as instances of the dataclass ``kind``; none where there is no table, or it is damaged.

        Fields with defaults are columns that may be missing. A damaged line is left out.
        """
        return [record for record, _ in self.records_and_rest(name, kind)]

    def records_and_rest(self, name: str, kind: type[Record]) -> list[tuple[Record, Mapping[str, str]]]:
        """The same, each with the cells of the columns that are no fields."""
        lines = self._lines(name)
        header = next(lines, [])
        known = {field.name: field.default for field in fields(cast(Any, kind))}
        required = [field for field, default in known.items() if default is MISSING]
        if missing := [field for field in required if header and field not in header]:
            self._say(f"{name} has no column {missing[0]}")
            return []
        convert = _converter(kind, known, header)
        rest = [(column, at) for at, column in enumerate(header) if column not in known]
        records, damaged = list[tuple[Record, Mapping[str, str]]](), list[str]()
        for number, line in enumerate(lines, 2):
            try:
                if len(line) != len(header):
                    raise ValueError(f"{len(line)} cells in the place of {len(header)}")
                records.append((kind(*convert(line)), {column: line[at] for column, at in rest}))
            except ValueError as error:
                damaged.append(f"line {number}: {one_line(error, 120)}")
        if damaged:
            more = f", and {len(damaged) - 1} more" if len(damaged) > 1 else ""
            self._say(f"{name} is damaged ({damaged[0]}{more})")
        return records

    def json(self, name: str, most: int) -> Any:
        """The content of a JSON file of at most so many bytes; None where there is none, or it is damaged."""
        content = self._content(name, most)
        try:
            return None if content is None else json.loads(content)
        except (ValueError, RecursionError) as error:
            self._say(f"{name} is damaged ({one_line(error)})")
            return None

    def _lines(self, name: str) -> Iterator[list[str]]:
        content = self._content(name, LONGEST_TABLE)
        if content is None:
            return
        text = content.decode("utf-8-sig", "surrogateescape")
        try:
            yield from csv.reader(io.StringIO(text, newline=""))
        except csv.Error as error:
            self._say(f"{name} is damaged ({one_line(error)})")

    def _content(self, name: str, most: int) -> bytes | None:
        try:
            return read_bytes(inside(self.folder, name), most)
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            self._say(f"{name} cannot be read ({one_line(error)})")
            return None

    def _say(self, problem: str) -> None:
        self.problems.append(printable(problem))


def _converter(kind: type, known: Mapping[str, Any], header: Sequence[str]) -> Convert:
    """A function that makes the fields of a record of a line's cells; ``known`` are their names and defaults."""
    columns = {column: at for at, column in enumerate(header)}
    kinds = get_type_hints(kind)
    reads = [(columns.get(name), _cell(name, kinds[name]), default) for name, default in known.items()]

    def convert(line: Sequence[str]) -> tuple[Any, ...]:
        return tuple(default if at is None else read(line[at]) for at, read, default in reads)

    return convert


def _cell(name: str, kind: type) -> Callable[[str], Any]:
    by_kind: dict[type, Callable[[str], Any]] = {int: whole_number, float: number}
    return by_kind.get(kind, _file if name in FILES else _text)


def whole_number(text: str) -> int:
    """A whole number that JavaScript holds exactly; ValueError for anything else."""
    value = int(text) if len(text) <= LONGEST_NUMBER else LARGEST + 1
    if abs(value) > LARGEST:
        raise ValueError(f"{text[:LONGEST_NUMBER]} is too large")
    return value


def number(text: str) -> float:
    """A number; an empty cell is none, nan. ValueError for anything else."""
    if len(text) > LONGEST_NUMBER:
        raise ValueError(f"{text[:LONGEST_NUMBER]} is no number")
    return float(text) if text else math.nan


def _text(text: str) -> str:
    return from_csv_cell(text)[:LONGEST_TEXT]


def _file(text: str) -> str:
    name = _text(text)
    if not name or name.endswith(ENDINGS):
        return check_relative(name, "")
    raise ValueError(f"{name[:80]!r} is no picture")
