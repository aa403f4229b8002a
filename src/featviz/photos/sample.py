"""Photos of a stream that stand for all of them, and what filters make of these."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from featviz.photos.stream import evenly_spaced

TENTHS, PER_TENTH = 10, 3


class PhotoSample:
    """Photos that are evenly spaced among all; in the place of one that cannot be used comes the next that can.

    Args:
        photos: how many there are.
        count: how many of them are wanted.
    """

    def __init__(self, photos: int, count: int) -> None:
        self.numbers: list[int] = []
        self._wanted = evenly_spaced(range(photos), count)

    def take(self, numbers: Sequence[int]) -> list[int]:
        """Take those that are wanted of photos, by their numbers, that have come; returns their places among them."""
        places = []
        for place, number in enumerate(numbers):
            if len(self.numbers) < len(self._wanted) and number >= self._wanted[len(self.numbers)]:
                self.numbers.append(number)
                places.append(place)
        return places


@dataclass(frozen=True)
class TenthPhoto:
    """A photo of a tenth, from 1, of all photos in the order of a filter's figure: its place in the sample."""

    tenth: int
    value: float
    place: int


def photos_of_tenths(values: Tensor, percentiles: Sequence[float], count: int = PER_TENTH) -> list[TenthPhoto]:
    """For each tenth of a filter's distribution up to ``count`` photos of the sample, evenly spaced within the tenth.

    Args:
        values: what the filter makes of each photo of the sample, (photos,).
        percentiles: those of all photos, from 0 to 100.
        count: of each tenth.

    Returns:
        None of a filter that answers to all photos alike; of a tenth that no photo of the sample is in, none.
    """
    if percentiles[0] == percentiles[-1]:
        return []
    borders = torch.tensor(percentiles[10:100:10], dtype=torch.float64)
    tenths = torch.searchsorted(borders, values.double().contiguous(), right=True).tolist()
    order = values.argsort(stable=True).tolist()
    found = []
    for tenth in range(TENTHS):
        inside = evenly_spaced([place for place in order if tenths[place] == tenth], count)
        found += [TenthPhoto(tenth + 1, values[place].item(), place) for place in inside]
    return found
