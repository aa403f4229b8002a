"""The sweep folder: ``summary.csv`` and ``summary.png`` over all runs of a Hydra multirun.

Hydra imports this before it prints its help: what is slow to import is imported where it is used.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from featviz.errors import FeatvizError
from featviz.reading import read_yaml
from featviz.results.job_folders import job_folders
from featviz.results.rows import COLUMNS, Row, columns_of, heading, is_doubtful, outcome, subject
from featviz.results.typed_words import typed_pair

if TYPE_CHECKING:
    from featviz.results.sheets import Cell

MOST_RUNS, MOST_FILTERS = 64, 32  # on summary.png; summary.csv has them all


#: A file's inode, time of the last change and size, another one once it is replaced; None where there is no file.
Stamp = tuple[int, int, int] | None


@dataclass
class Job:
    """One run of a sweep; ``rows`` is empty where it failed."""

    name: str
    folder: Path
    overrides: dict[str, str]
    rows: list[Row]


def summarize(folder: Path) -> list[Job]:
    """Write ``summary.csv`` and ``summary.png`` into a sweep's folder, if any of its runs has results; return them."""
    jobs = read_jobs(folder)
    write_summary_table(folder, jobs)
    _write_png(folder, jobs)
    return jobs


def read_jobs(folder: Path) -> list[Job]:
    """Read the runs below a sweep's folder: what has a ``.hydra/overrides.yaml``."""
    return JobReader(folder).jobs()


class JobReader:
    """Reads the runs of a sweep again and again while it goes on, but each table once, until it is another file."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._read: dict[Path, tuple[Job, list[Stamp]]] = {}

    def jobs(self) -> list[Job]:
        """All runs that there are by now; 10 comes after 9."""
        self._read = {path: self._job(path) for path in job_folders(self.folder)}
        return [job for job, _ in self._read.values()]

    def _job(self, path: Path) -> tuple[Job, list[Stamp]]:
        """A run with the stamps of its files, which other processes may be writing."""
        from featviz.results.folder import read_rows

        stamps = [_stamp(path / name) for name in ("results.csv", ".hydra/overrides.yaml")]
        if path in self._read and self._read[path][1] == stamps:
            return self._read[path]
        rows = read_rows(path) if stamps[0] else []
        return Job(path.relative_to(self.folder).as_posix(), path, _overrides(path), rows), stamps


def _stamp(file: Path) -> Stamp:
    try:
        status = file.stat()
    except FileNotFoundError:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_size


def differing(jobs: Sequence[Job]) -> list[str]:
    """Name the overrides that are not the same in all jobs."""
    names = dict.fromkeys(name for job in jobs for name in job.overrides)
    return [name for name in names if len({job.overrides.get(name) for job in jobs}) > 1]


def write_summary_table(folder: Path, jobs: Sequence[Job]) -> None:
    """Write ``summary.csv`` of these runs, if any of them has results."""
    from featviz.results.files import write_table

    columns = _override_columns(jobs)
    rows = [
        {"job": job.name}
        | {column: job.overrides.get(name, "") for name, column in columns.items()}
        | {**row, "image": row["image"] and f"{job.name}/{row['image']}"}
        for job in jobs
        for row in job.rows
    ]
    if rows:
        write_table(
            folder / "summary.csv",
            ["job", *columns.values(), *columns_of(row for job in jobs for row in job.rows)],
            rows,
        )


def _override_columns(jobs: Sequence[Job]) -> dict[str, str]:
    """Name the column of each differing override: none where a column of the results says the same."""
    columns = {}
    for name in differing(jobs):
        if name not in ("job", *COLUMNS):
            columns[name] = name
        elif any(str(row.get(name)) != job.overrides.get(name) for job in jobs for row in job.rows):
            columns[name] = f"override.{name}"
    return columns


def _write_png(folder: Path, jobs: Sequence[Job]) -> None:
    """Draw a row for each run, or for each of its models and layers, and a column for each filter."""
    from featviz.results.files import png, write_file
    from featviz.results.sheets import largest_side, table_sheet

    lines = [line for job in jobs for line in _lines(job, differing(jobs))]
    if not lines:
        return
    names, shown = _arrange(lines)
    most = max(map(len, shown))
    title = [heading([row for job in jobs for row in job.rows])]
    title += [f"the first {MOST_RUNS} of {len(lines)} rows"] * (len(lines) > MOST_RUNS)
    title += [f"the first {MOST_FILTERS} of {most} filters"] * (most > MOST_FILTERS)
    lines, names = lines[:MOST_RUNS], names[:MOST_FILTERS]
    side = largest_side(len(lines) * min(most, MOST_FILTERS))
    cells = [
        [line.cell(which, side, named=not names) for which in filters[:MOST_FILTERS]]
        for line, filters in zip(lines, shown, strict=False)
    ]
    sheet = table_sheet(cells, [line.label for line in lines], names, ", ".join(filter(None, title)))
    write_file(folder / "summary.png", png(sheet))


def _arrange(lines: Sequence[_Line]) -> tuple[list[str], list[list[tuple[int, int]]]]:
    """Name the columns by filter, and say what each line shows in them.

    Lines that share few filters have columns without names: of four layers with filters of their own, three quarters
    of the table would be blank.
    """
    names = {which: subject(row) for line in lines for which, row in line.rows.items()}
    if 2 * sum(len(line.rows) for line in lines) < len(lines) * len(names):
        return [], [list(line.rows) for line in lines]
    columns = sorted(names)
    return [names[which] for which in columns], [columns for _ in lines]


@dataclass
class _Line:
    """One row of the sheet."""

    label: str
    folder: Path
    rows: dict[tuple[int, int], Row]

    def cell(self, which: tuple[int, int], side: int, named: bool) -> Cell:
        """Give a filter's picture with its activation, and its name if asked; nothing for one that this run has not."""
        from featviz.results.folder import load_tile
        from featviz.results.sheets import Cell

        row = self.rows.get(which)
        if row is None:
            return Cell(None)
        label = f"{subject(row)}\n{outcome(row)}" if named else outcome(row)
        return Cell(load_tile(self.folder, row, side), label, is_doubtful(row))


def _lines(job: Job, names: Sequence[str]) -> list[_Line]:
    """Split a job's rows by model and layer, and say what sets each apart from other runs and lines."""
    label = [f"{name}={job.overrides[name]}" for name in names if name in job.overrides] or [f"run {job.name}"]
    groups: dict[tuple[str, str], dict[tuple[int, int], Row]] = {}
    for row in job.rows:
        groups.setdefault((row["model"], row["layer"]), {})[row["filter"], row["variant"]] = row
    several = [len(set(part)) > 1 for part in zip(*groups, strict=True)]
    lines = []
    for key, rows in groups.items():
        parts = [part for part, shown in zip(key, several, strict=True) if shown]
        lines.append(_Line("\n".join(label + parts), job.folder, rows))
    return lines


def _overrides(job: Path) -> dict[str, str]:
    """Read a job's overrides: ``+optimizer.lr=0.1`` gives ``{"optimizer.lr": "0.1"}``, ``layer='1.10'`` the text."""
    file = job / ".hydra" / "overrides.yaml"
    listed = read_yaml(file)
    if not isinstance(listed, list):
        what, expected = f"cannot read {file}: a {type(listed).__name__}, expected a list", "a list"
        raise FeatvizError(what, got=str(file), expected=expected)
    pairs = (typed_pair(str(text)) for text in listed)
    return {name: re.sub(r"^'([^']*)'$", r"\1", value) for name, value in pairs}
