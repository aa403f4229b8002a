"""How far a run is: what is finished of its plan, and how long the rest will take."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from math import prod

import torch
from torch import Tensor

from featviz.models.frames import resized
from featviz.results.folder import RunFolder
from featviz.results.rows import Row, key_of
from featviz.runs.chunk import ChunkResult
from featviz.runs.manifest import OwedLayer
from featviz.runs.plan import Plan
from featviz.shapes import Shape

log = logging.getLogger(__name__)


def finished_filters(layers: Iterable[OwedLayer], rows: Iterable[Row]) -> set[tuple[str, int]]:
    """Layers and numbers of the filters that have all their pictures."""
    counts = Counter((row["layer"], row["filter"]) for row in rows)
    variants = {layer.name: layer.variants for layer in layers}
    return {key for key, count in counts.items() if count >= variants.get(key[0], 1)}


def ordered_rows(layers: Iterable[OwedLayer], rows: Iterable[Row]) -> list[Row]:
    """The rows in the order in which the layers name their filters, without those of others."""
    places = {
        (layer.name, number): place
        for place, (layer, number) in enumerate((layer, n) for layer in layers for n in layer.filters)
    }
    known = [row for row in rows if (row["layer"], row["filter"]) in places]
    return sorted(known, key=lambda row: (places[row["layer"], row["filter"]], row["variant"]))


@dataclass
class RunProgress:
    """What is finished of a plan: all rows, and the pictures that were made in this process."""

    plan: Plan
    folder: RunFolder | None
    rows: list[Row]
    pictures_made: dict[tuple[str, int, int], Tensor] = field(default_factory=dict)

    @property
    def finished(self) -> set[tuple[str, int]]:
        """Layers and numbers of the filters that have all their pictures."""
        return finished_filters(self.plan.layers, self.rows)

    @property
    def missing(self) -> int:
        """How many pictures are not made yet."""
        finished = self.finished
        return sum((layer.name, number) not in finished for layer in self.plan.layers for number in layer.filters)

    def add(self, result: ChunkResult) -> None:
        """Save a chunk."""
        rows = result.rows
        if self.folder:
            rows = self.folder.save_chunk(result.pictures, rows, result.opacity, result.display, result.units)
        new = {key_of(row) for row in rows}
        self.rows = [row for row in self.rows if key_of(row) not in new] + rows
        self.pictures_made |= {key_of(row): picture for row, picture in zip(rows, result.pictures, strict=True)}

    def ordered(self) -> list[Row]:
        """The rows in the plan's order."""
        return ordered_rows(self.plan.layers, self.rows)

    def replace(self, rows: Sequence[Row]) -> None:
        """Take rows in the place of those of the same pictures, in the folder's table too."""
        known = {key_of(row): row for row in self.rows}
        changed = [row for row in rows if known.get(key_of(row)) != row]
        self.rows = list((known | {key_of(row): row for row in changed}).values())
        if self.folder and changed:
            self.folder.save_rows(changed)

    def picture(self, row: Row) -> Tensor | None:
        """A row's picture (C, H, W); one made elsewhere is read from its file, and there may be none."""
        picture = self.pictures_made.get(key_of(row))
        return self.folder.load_picture(row) if picture is None and self.folder else picture

    def pictures(self) -> Tensor:
        """The pictures (N, C, H, W) of the rows, nan where there is none; smaller ones than others are enlarged."""
        found = [self.picture(row) for row in self.ordered()]
        shapes = [picture.shape for picture in found if picture is not None]
        if not shapes:
            return torch.empty(0)
        largest = max(shapes, key=prod)
        nothing = torch.full(largest, torch.nan)
        return torch.stack(
            [nothing if picture is None else _enlarged(picture, Shape(largest[1:])) for picture in found]
        )


def _enlarged(picture: Tensor, shape: Shape) -> Tensor:
    return resized(picture[None], shape)[0]


SOON = 5  # s: shorter waits are not logged


class ProgressReport:
    """Logs after each chunk how many filters are done, how fast, and how long the others will take."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.done = 0
        self._began = time.monotonic()

    def add(self, more: int) -> None:
        """Count ``more`` pictures; where the rest takes a moment, nothing is logged."""
        self.done += more
        if self.done >= self.total:
            return
        rate = self.done / max(time.monotonic() - self._began, 1e-3)
        left = (self.total - self.done) / rate
        if left < SOON:
            return
        log.info("%d of %d pictures, %.1f a minute, %s left", self.done, self.total, 60 * rate, duration(left))


def duration(seconds: float) -> str:
    """A time in words: 40 s, 12 min, 3 h 20 min."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
