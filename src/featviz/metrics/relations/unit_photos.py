"""Which units a photo is shown for: some of their exemplars, so chosen that few photos are passed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from pathlib import Path

from torch import Tensor

from featviz.photos.exemplar_folder import load_photos
from featviz.shapes import Size

EXEMPLARS = 3  # of each unit: more of them cost as many passes, and say nearly the same
AMONG = 3  # times as many are chosen from
MOST_PHOTOS, MOST_PAIRS = 8, 32  # of a batch; a pair is a photo and a unit


@dataclass(frozen=True)
class UnitPhotos:
    """A photo, and the places, among the units of a layer, of those that it is an exemplar of."""

    photo: Path
    units: tuple[int, ...]


@dataclass(frozen=True)
class PhotoBatch:
    """Photos (N, C, H, W) in [0, 1], and for each the units that it is shown for."""

    pictures: Tensor
    units: list[tuple[int, ...]]


def shared(exemplars: Sequence[Sequence[Path]], count: int = EXEMPLARS) -> list[UnitPhotos]:
    """``count`` of each unit's exemplars, chosen so that units share photos, by photo; those of the most units first.

    Passing a photo costs far more than one unit more on it, so photos are taken greedily (Chvatal 1979, *A greedy
    heuristic for the set-covering problem*): next is the one that is worth most to units that still want some. To a
    unit its strongest exemplar is worth 1, and the last of ``AMONG`` * ``count`` hardly anything: strong ones are taken
    where nothing is shared.

    Args:
        exemplars: of each unit, the strongest first.
        count: how many of them each unit is shown.
    """
    among = AMONG * count
    worth: dict[Path, dict[int, float]] = {}
    for place, photos in enumerate(exemplars):
        for rank, photo in enumerate(photos[:among]):
            worth.setdefault(photo, {})[place] = 1 - rank / among
    wanted = {place: min(count, len(photos)) for place, photos in enumerate(exemplars)}
    found = list(_greedy(worth, wanted))
    return sorted(found, key=lambda one: (-len(one.units), one.photo))


def _greedy(worth: Mapping[Path, Mapping[int, float]], wanted: dict[int, int]) -> Iterator[UnitPhotos]:
    """Photos, each with the units that still want one of theirs, until all have as many as are ``wanted``."""

    def left(photo: Path) -> float:
        return sum(value for place, value in worth[photo].items() if wanted[place])

    waiting = [(-left(photo), photo) for photo in worth]
    heapify(waiting)
    while waiting:
        before, photo = heappop(waiting)
        now = -left(photo)  # which only falls in worth while others are taken
        if now > before:
            heappush(waiting, (now, photo))
            continue
        units = tuple(place for place in worth[photo] if wanted[place])
        for place in units:
            wanted[place] -= 1
        if units:
            yield UnitPhotos(photo, units)


def photo_batches(photos: Sequence[UnitPhotos], size: Size, channels: int) -> Iterator[PhotoBatch]:
    """The photos at the network's size: so many at a time that they are few, and shown for few units together."""
    some = list[UnitPhotos]()
    for one in photos:
        if len(some) == MOST_PHOTOS or (some and sum(len(each.units) for each in [*some, one]) > MOST_PAIRS):
            yield _loaded(some, size, channels)
            some = []
        some.append(one)
    if some:
        yield _loaded(some, size, channels)


def _loaded(photos: Sequence[UnitPhotos], size: Size, channels: int) -> PhotoBatch:
    pictures = load_photos([one.photo for one in photos], size, channels)
    return PhotoBatch(pictures, [one.units for one in photos])


def counts(photos: Sequence[UnitPhotos], units: int) -> list[int]:
    """How many photos each unit is shown."""
    found = Counter(unit for one in photos for unit in one.units)
    return [found[unit] for unit in range(units)]
