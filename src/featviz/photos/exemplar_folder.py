"""The photos that a run of task=exemplars keeps: the strongest and the weakest of each filter, and references."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor

from featviz.photos.files import load_photo
from featviz.photos.table_rows import ExemplarRow
from featviz.photos.tables import read_exemplars, read_references, read_weakest
from featviz.reading import expanded, inside
from featviz.results.relation_rows import WeakestRow
from featviz.shapes import Size


class ExemplarFolder:
    """A run's folder, which holds copies of its photos; nothing is read before it is asked for.

    Args:
        path: the folder.

    Raises:
        FeatvizError: from each property and method: the folder is none of task=exemplars, or is damaged.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = expanded(path)

    @cached_property
    def references(self) -> tuple[Path, ...]:
        """Photos that stand for all."""
        return tuple(inside(self.path, row.image) for row in read_references(self.path))

    def extremes(self, module: str, number: int) -> tuple[list[Path], list[Path]]:
        """The strongest and the weakest photos of a filter, equally many, the most extreme ones first.

        A photo is in one of the two only, even where there are fewer photos than places. Both are empty for a filter
        that the run was made without.
        """
        strongest, weakest = self._strongest.get((module, number), []), self._weakest.get((module, number), [])
        apart = [file for file in weakest if file not in strongest]
        most = min(len(strongest), (len(strongest) + len(apart)) // 2)
        top = strongest[:most]
        bottom = [file for file in weakest if file not in top][:most]
        return top[: len(bottom)], bottom

    @cached_property
    def _strongest(self) -> dict[tuple[str, int], list[Path]]:
        return self._by_filter(read_exemplars(self.path))

    @cached_property
    def _weakest(self) -> dict[tuple[str, int], list[Path]]:
        return self._by_filter(read_weakest(self.path))

    def _by_filter(self, rows: Sequence[ExemplarRow | WeakestRow]) -> dict[tuple[str, int], list[Path]]:
        photos: dict[tuple[str, int], list[Path]] = {}
        for row in sorted(rows, key=lambda row: row.rank):
            photos.setdefault((row.module, row.filter), []).append(inside(self.path, row.image))
        return photos


def load_photos(files: Sequence[Path], size: Size, channels: int) -> Tensor:
    """Photos as a network is shown them, (N, channels, H, W) in [0, 1]."""
    return torch.stack([load_photo(file, size, channels) for file in files])
