"""The feature maps of filters on their exemplars, kept while photos go by, and written as gray pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from PIL import Image
from torch import Tensor


class ExemplarMaps:
    """For each filter the feature maps of the photos that are its strongest so far, in 256 levels.

    Zero, or the smallest value where that is above zero, is black, and the largest value white. Memory depends on
    the number of exemplars alone.

    Args:
        filters: the numbers of those filters of the layer whose maps are kept.
    """

    def __init__(self, filters: Sequence[int]) -> None:
        self._filters = list(filters)
        self.levels: Tensor | None = None
        self._shape = (0, 0)

    def update(self, maps: Tensor, places: Tensor, before: int) -> None:
        """Follow a change of the strongest photos.

        Args:
            maps: feature maps (N, filters, h, w) of the photos that have come, of all the layer's filters.
            places: for each chosen filter and each rank, (chosen, k), where its photo was: a rank below ``before``, or
                the number of one of the photos that have come, plus ``before``.
            before: how many ranks there were.
        """
        self._shape = maps.shape[2], maps.shape[3]
        filters, ranks = places.shape
        chosen = (places >= before).nonzero()
        if ranks == before and not len(chosen):
            return
        levels = torch.zeros(filters, ranks, maps.shape[2] * maps.shape[3], dtype=torch.uint8)
        if before and self.levels is not None:
            kept = places.clamp_max(before - 1)
            levels = self.levels.gather(1, kept[:, :, None].expand_as(levels))
        rows, at = chosen.T
        photos, numbers = (places[rows, at] - before).to(maps.device), torch.tensor(self._filters)[rows].to(maps.device)
        levels[rows, at] = _levels(maps[photos, numbers].flatten(1)).cpu()
        self.levels = levels

    def picture(self, number: int, rank: int) -> Image.Image:
        """The map of a filter, by its number, on its exemplar of this rank, from 1."""
        assert self.levels is not None
        levels = self.levels[self._filters.index(number), rank - 1]
        return Image.fromarray(levels.reshape(self._shape).numpy())

    @property
    def has_positions(self) -> bool:
        """Whether the maps have more than one position."""
        return self._shape[0] * self._shape[1] > 1

    def state(self) -> dict[str, Any]:
        """All maps, as plain values and tensors."""
        return {"levels": self.levels, "shape": list(self._shape)}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Go on from a ``state``."""
        self.levels = state["levels"]
        self._shape = state["shape"][0], state["shape"][1]


def _levels(values: Tensor) -> Tensor:
    """Values (N, positions) as 256 levels."""
    low, high = values.amin(1, keepdim=True).clamp_min(0), values.amax(1, keepdim=True)
    shares = (values.float() - low) / (high - low).clamp_min(torch.finfo(torch.float32).tiny)
    return (shares.clamp(0, 1) * 255).round().to(torch.uint8)
