"""One pass over photos that keeps a layer's activations at drawn positions, never more than a given number."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from featviz.errors import FeatvizError
from featviz.filters import seed_of
from featviz.models.backbone import Backbone
from featviz.photos.stream import Batch, PhotoStream

log = logging.getLogger(__name__)

#: Activations (positions, filters).
Rows = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Positions:
    """Activations {layer: (positions, filters)} of so many ``photos``; ``skipped`` {file: reason}."""

    rows: dict[str, Rows]
    photos: int
    skipped: dict[Path, str]


class PositionSample:
    """Takes in feature maps of a layer, and keeps the activations at positions drawn from each photo.

    Its memory is that of ``most`` positions, however many photos there are.

    Args:
        module: the layer's dotted name, which the draws depend on.
        photos: how many there will be; each gets its share of the positions, all of them if it has no more.
        most: positions that are kept.
        seed: of the draws.
    """

    def __init__(self, module: str, photos: int, most: int, seed: int) -> None:
        self.module, self.seed, self.most = module, seed, most
        self.per_photo = max(1, most // photos)
        self._kept: Rows | None = None
        self._count = 0

    def add(self, numbers: Iterable[int], maps: Tensor) -> None:
        """Take in feature maps (N, filters, h, w) of the photos of these numbers."""
        rows = maps.flatten(2).movedim(1, 2).float().cpu()  # (N, positions, filters)
        if self._kept is None:
            self._kept = np.empty((self.most, rows.shape[2]), np.float32)
        for number, of_photo in zip(numbers, rows, strict=True):
            drawn = of_photo[self._draw(number, len(of_photo))][: self.most - self._count]
            self._kept[self._count : self._count + len(drawn)] = drawn.numpy()
            self._count += len(drawn)

    def _draw(self, number: int, positions: int) -> Tensor:
        generator = torch.Generator().manual_seed(seed_of(self.seed, self.module, number))
        return torch.randperm(positions, generator=generator)[: self.per_photo]

    @property
    def rows(self) -> Rows:
        """All that have been kept, (positions, filters)."""
        return np.empty((0, 0), np.float32) if self._kept is None else self._kept[: self._count]


@torch.no_grad()
def collect_positions(
    backbone: Backbone, samples: Mapping[str, PositionSample], stream: PhotoStream, batches: Iterable[Batch]
) -> Positions:
    """Show photos once to a network, and keep activations of its layers.

    Args:
        backbone: the network up to the layers.
        samples: {layer: its sample}, the layers named as the backbone was asked for them.
        stream: the photos.
        batches: what is iterated over: the stream, or a progress bar around it.

    Raises:
        FeatvizError: no photo could be used.
    """
    unusable: dict[Path, str] = {}
    for batch in batches:
        maps = backbone(batch.pictures.to(backbone.mean.device))
        finite = torch.stack([each.flatten(1).isfinite().all(1) for each in maps.values()]).all(0).cpu()
        places = [place for place in range(len(batch.numbers)) if finite[place]]
        for place in set(range(len(batch.numbers))) - {*places}:
            file = stream.files[batch.numbers[place]]
            unusable[file] = f"photo {file} gives activations that are not finite"
        for layer, sample in samples.items():
            sample.add([batch.numbers[place] for place in places], maps[layer][places])
    skipped = {file: why for file in stream.files if (why := stream.skipped.get(file) or unusable.get(file))}
    if len(skipped) == len(stream.files):
        what = f"none of {len(skipped)} photos can be used; the first: {next(iter(skipped.values()))}"
        raise FeatvizError(what, setting="data")
    rows = {layer: sample.rows for layer, sample in samples.items()}
    return Positions(rows, len(stream.files) - len(skipped), skipped)
