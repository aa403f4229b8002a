"""The maps that are kept of the strongest photos, against sorting all maps at once."""

import numpy as np
import pytest
import torch

from featviz.photos.exemplar_maps import ExemplarMaps
from featviz.photos.statistics import TopK


def kept(maps: torch.Tensor, filters: list[int], k: int, size: int) -> ExemplarMaps:
    """What is kept of maps that come in batches of this size."""
    strongest, found = TopK(k), ExemplarMaps(filters)
    for batch in maps.split(size):
        before = strongest.count
        found.update(batch, strongest.update(batch[:, filters].mean((2, 3)), {}), before)
    return found


@pytest.mark.parametrize("size", [1, 3, 40])
def test_they_are_those_of_the_strongest_photos(size: int) -> None:
    maps = torch.randn(40, 5, 3, 4, generator=torch.Generator().manual_seed(0))
    found = kept(maps, [3, 1], 6, size)
    for number in (3, 1):
        order = maps[:, number].mean((1, 2)).argsort(descending=True)
        for rank in range(1, 7):
            values = maps[order[rank - 1], number].clamp_min(0).numpy()
            wanted = np.round(values / values.max() * 255)
            np.testing.assert_array_equal(np.array(found.picture(number, rank)), wanted)


def test_black_is_the_smallest_value_above_zero_or_zero() -> None:
    maps = torch.tensor([[[[2.0, 3.0, 4.0]]], [[[-1.0, 0.0, 1.0]]], [[[-3.0, -2.0, -1.0]]], [[[7.0, 7.0, 7.0]]]])
    found = kept(maps, [0], 4, 4)
    pictures = [np.array(found.picture(0, rank)).tolist() for rank in range(1, 5)]
    assert pictures == [[[0, 0, 0]], [[0, 128, 255]], [[0, 0, 255]], [[0, 0, 0]]]


def test_they_go_on_from_a_saved_state() -> None:
    maps = torch.rand(8, 2, 2, 2, generator=torch.Generator().manual_seed(1))
    found = ExemplarMaps([0, 1])
    found.load_state(kept(maps, [0, 1], 3, 4).state())
    assert found.has_positions
    assert torch.equal(torch.as_tensor(found.levels), torch.as_tensor(kept(maps, [0, 1], 3, 8).levels))


def test_a_layer_without_positions_has_no_maps() -> None:
    assert not ExemplarMaps([0]).has_positions
