"""Photos that stand for all, and those of each tenth of a distribution."""

import numpy as np
import pytest
import torch

from featviz.photos.sample import PhotoSample, photos_of_tenths
from featviz.photos.statistics import StreamingQuantiles


@pytest.mark.parametrize(("photos", "count"), [(70, 10), (7, 7), (5, 9), (100, 33)])
def test_without_losses_they_are_evenly_spaced(photos: int, count: int) -> None:
    sample = PhotoSample(photos, count)
    for batch in np.array_split(np.arange(photos), 4):
        assert [batch[place] for place in sample.take(batch.tolist())] == [n for n in sample.numbers if n in batch]
    taken = min(photos, count)
    assert sample.numbers == [at * photos // taken for at in range(taken)]


def test_the_next_that_can_be_used_takes_a_place() -> None:
    sample = PhotoSample(20, 5)  # 0, 4, 8, 12, 16
    sample.take([1, 2, 3, 4])
    sample.take([9, 10, 11, 19])
    assert sample.numbers == [1, 4, 9, 19]


def test_tenths_are_those_of_all_photos() -> None:
    rng = np.random.default_rng(0)
    everything = rng.gamma(2, size=1000)
    percentiles = np.quantile(everything, np.arange(101) / 100).tolist()
    values = torch.from_numpy(everything[::5])
    found = photos_of_tenths(values, percentiles)
    for tenth in range(1, 11):
        own = [one for one in found if one.tenth == tenth]
        assert len({one.place for one in own}) == 3
        low, high = np.quantile(everything, [(tenth - 1) / 10, tenth / 10])
        assert all(low <= one.value <= high and one.value == values[one.place] for one in own)


def test_a_filter_that_is_always_the_same_has_no_tenths() -> None:
    assert photos_of_tenths(torch.zeros(9), [0.0] * 101) == []


@pytest.mark.parametrize("photos", [40, 300, 3000])
def test_histograms_are_numpys(photos: int) -> None:
    values = torch.randn(photos, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64).float()
    sketch = StreamingQuantiles(3)
    for batch in values.split(32):
        sketch.update(batch)
    low, high = values.double().amin(0), values.double().amax(0)
    counts = sketch.histogram(low, high, 40)
    assert counts.sum(1).tolist() == [photos] * 3
    for at in range(3):
        wanted, _ = np.histogram(values[:, at].double(), 40)
        if photos <= 512:
            np.testing.assert_array_equal(counts[at], wanted)
        assert np.abs(counts[at].cumsum(0).numpy() - wanted.cumsum()).max() <= 0.01 * photos


def test_a_constant_is_in_the_first_part() -> None:
    sketch = StreamingQuantiles(1)
    sketch.update(torch.full((9, 1), 0.3))
    ends = torch.full((1,), 0.3).double()
    assert sketch.histogram(ends, ends, 4).tolist() == [[9, 0, 0, 0]]
