"""Which units a photo is shown for: their exemplars, grouped by photo, so that each is passed once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from featviz.photos.exemplar_folder import load_photos

EXEMPLARS = 3  # of each unit, the strongest: more of them cost as many passes, and say nearly the same


@dataclass(frozen=True)
class UnitPhotos:
    """A photo, and the places, among the units of a layer, of those that it is an exemplar of."""

    photo: Path
    units: tuple[int, ...]


@dataclass(frozen=True)
class PhotoBatch:
    """Photos (N, C, size, size) in [0, 1], and for each the units that it is shown for."""

    pictures: Tensor
    units: list[tuple[int, ...]]


def grouped(exemplars: Sequence[Sequence[Path]], count: int = EXEMPLARS) -> list[UnitPhotos]:
    """The first ``count`` exemplars of each unit by photo, those of the most units first."""
    units: dict[Path, list[int]] = {}
    for place, photos in enumerate(exemplars):
        for photo in photos[:count]:
            units.setdefault(photo, []).append(place)
    found = [UnitPhotos(photo, tuple(places)) for photo, places in units.items()]
    return sorted(found, key=lambda one: (-len(one.units), one.photo))


def photo_batches(photos: Sequence[UnitPhotos], batch_size: int, size: int, channels: int) -> Iterator[PhotoBatch]:
    """The photos at the network's size, so many at a time."""
    for first in range(0, len(photos), batch_size):
        some = photos[first : first + batch_size]
        yield PhotoBatch(load_photos([one.photo for one in some], size, channels), [one.units for one in some])


def counts(photos: Sequence[UnitPhotos], units: int) -> list[int]:
    """How many photos each unit is shown."""
    found = Counter(unit for one in photos for unit in one.units)
    return [found[unit] for unit in range(units)]
