"""Where the pictures of a training go: a run folder, and the loggers of the training."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any, cast

from lightning.pytorch.loggers import Logger
from omegaconf import DictConfig

from featviz.config.compose import resolved_yaml
from featviz.config.report import write_pages
from featviz.results.display import Display
from featviz.results.files import alone, write_table
from featviz.results.folder import RunFolder, read_rows
from featviz.results.frames import write_frame
from featviz.results.loggers import log_picture, log_scalars, takes_pictures
from featviz.results.rows import Row, columns_of, key_of, metrics_of, outcome, subject
from featviz.results.sheets import LARGEST, Tile, fit, grid
from featviz.runs.chunk import ChunkResult
from featviz.runs.network_table import write_network
from featviz.runs.plan import Plan

TABLE, RESULTS = "watch.csv", "results.csv"
MOST_SINGLE = 16  # with more pictures of a layer than these only their grid is logged
HEAD = "# What the pictures of a training were made with: docs/watch.md\n"


@dataclass(frozen=True)
class Moment:
    """A time in a training: the epoch, counted from 0, and how many steps the optimizer has made."""

    epoch: int
    step: int

    def __str__(self) -> str:
        return f"epoch {self.epoch}, step {self.step}"


class Record:
    """Keeps what is found: in ``folder``, where there is one, and in loggers.

    The folder is that of a run whose pictures are the latest ones: ``images/``, ``results.csv`` and pages.
    ``watch.csv`` has a line for each picture that was ever made, and the earlier ones are kept as frames, by epoch or,
    ``by_steps``, by step.
    """

    def __init__(self, folder: Path | None, loggers: Sequence[Logger], cfg: DictConfig, by_steps: bool = False) -> None:
        self.folder = RunFolder(folder) if folder else None
        self.loggers = list(loggers)
        self._cfg, self._by_steps = cfg, by_steps
        if self.folder:
            self.folder.write_config(HEAD + resolved_yaml(cfg))

    def add(self, result: ChunkResult, moment: Moment) -> list[Row]:
        """Save and log pictures; return their rows, with the epoch and the step."""
        rows = [cast(Row, {**row, "epoch": moment.epoch, "step": moment.step}) for row in result.rows]
        if self.folder:
            self._keep_frames(self.folder, rows, result.display)
            of_pages = [self._of_pages(row) for row in rows]
            saved = self.folder.save_chunk(result.pictures, of_pages, result.opacity, result.display, result.units)
            rows = [cast(Row, {**row, "image": of["image"]}) for row, of in zip(rows, saved, strict=True)]
            _add_lines(self.folder.path / TABLE, rows)
        tiles = [fit(result.display.image(picture.nan_to_num(0.5)), LARGEST) for picture in result.pictures]
        for logger in self.loggers:
            log_scalars(logger, dict(_scalars(rows)), moment.step)
            if takes_pictures(logger):
                for tag, picture in _pictures(rows, tiles, str(moment)):
                    log_picture(logger, tag, picture, moment.step)
        return rows

    def _of_pages(self, row: Row) -> Row:
        """The row with the epoch, or the step, whichever counts the looks."""
        return cast(Row, {name: value for name, value in row.items() if not (self._by_steps and name == "epoch")})

    def _keep_frames(self, folder: RunFolder, rows: Sequence[Row], display: Display) -> None:
        """Keep the pictures in whose place others come as frames."""
        earlier = {key_of(row): row for row in read_rows(folder.path)} if (folder.path / RESULTS).is_file() else {}
        for row in filter(None, (earlier.get(key_of(row)) for row in rows)):
            picture, number = folder.load_picture(row), cast(dict[str, Any], row)["step" if self._by_steps else "epoch"]
            if picture is not None:
                where = row["layer"], row["filter"], row["variant"]
                write_frame(folder.path, *where, int(number), display.image(picture))

    def write_network(self, plan: Plan) -> None:
        """Write which network, and of which weights, the folder's latest pictures are of."""
        if self.folder:
            write_network(self.folder.path, plan.model, plan.traced, [layer.name for layer in plan.layers])

    def finish(self) -> None:
        """Write grids and pages of the latest pictures, where there are any."""
        if self.folder and (self.folder.path / RESULTS).is_file():
            self.folder.write_grids()
            write_pages(self._cfg.get("report"), self.folder.path)


def _tag(row: Row) -> str:
    variant = f"_{row['variant']}" if row["variant"] else ""
    return f"watch/{row['layer']}/{row['filter']:04d}{variant}"


def _scalars(rows: Sequence[Row]) -> Iterator[tuple[str, float]]:
    """Activation and metrics of each picture, as far as they are numbers."""
    names = ["activation", *(name for name in metrics_of(rows) if name not in ("epoch", "step"))]
    for row in rows:
        for name in names:
            if isfinite(value := cast(dict[str, Any], row).get(name, float("nan"))):
                yield f"{_tag(row)}/{name}", value


def _pictures(rows: Sequence[Row], tiles: Sequence[Tile], when: str) -> Iterator[tuple[str, Any]]:
    """The pictures of a layer with their tags: a grid of all, and each by itself, unless they are many."""
    layer, labels = rows[0]["layer"], [f"{subject(row)}   {outcome(row)}" for row in rows]
    yield f"watch/{layer}", grid(tiles, labels, f"{layer}, {when}")
    if len(rows) <= MOST_SINGLE:
        yield from ((_tag(row), tile) for row, tile in zip(rows, tiles, strict=True))


def _add_lines(table: Path, rows: Sequence[Row]) -> None:
    """Add rows to a table, whose columns may become more."""
    with alone(table.parent):
        earlier: list[dict[str, Any]] = []
        if table.is_file():
            with table.open(newline="", encoding="utf-8", errors="surrogateescape") as file:
                earlier = list(csv.DictReader(file))
        lines = [*earlier, *rows]
        write_table(table, columns_of(lines), lines)
