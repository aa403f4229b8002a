"""The positions that are kept of photos."""

import numpy as np
import torch
from torch import Tensor

from featviz.photos.concepts.positions import PositionSample


def maps(count: int, side: int = 4) -> Tensor:
    """Feature maps (count, 2, side, side): the number of the photo, and that of the position."""
    photos = torch.arange(count, dtype=torch.float32)[:, None, None].expand(-1, side, side)
    places = torch.arange(side * side, dtype=torch.float32).view(side, side).expand(count, -1, -1)
    return torch.stack([photos, places], 1)


def sample(photos: int, most: int, batch: int) -> np.ndarray:
    kept = PositionSample("layer", photos, most, seed=0)
    for first in range(0, photos, batch):
        numbers = range(first, min(first + batch, photos))
        kept.add(numbers, maps(photos)[first : first + batch])
    return kept.rows


def test_all_positions_are_kept_where_there_is_room() -> None:
    rows = sample(3, 1000, 2)
    assert {tuple(row) for row in rows.tolist()} == {(photo, place) for photo in range(3) for place in range(16)}


def test_each_photo_has_its_share_and_no_position_comes_twice() -> None:
    rows = sample(10, 50, 3)
    assert len({tuple(row) for row in rows.tolist()}) == 50
    assert np.bincount(rows[:, 0].astype(int)).tolist() == [5] * 10


def test_what_is_kept_does_not_depend_on_the_batch() -> None:
    assert np.array_equal(sample(10, 50, 3), sample(10, 50, 10))


def test_there_are_never_more_than_asked_for() -> None:
    assert sample(10, 7, 3).shape == (7, 2)
    assert PositionSample("layer", 4, 8, 0).rows.size == 0
