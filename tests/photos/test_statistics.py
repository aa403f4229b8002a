"""Figures over a stream against NumPy's over all values at once."""

import numpy as np
import pytest
import torch

from featviz.photos.statistics import StreamingMoments, StreamingQuantiles, TopK

SHARES = [at / 100 for at in range(101)]


def batches(values: np.ndarray, size: int = 32) -> list[torch.Tensor]:
    return list(torch.from_numpy(values.astype(np.float32)).split(size))


def test_mean_and_spread() -> None:
    values = np.random.default_rng(0).normal(1000, 0.5, (777, 5))
    moments = StreamingMoments(5)
    moments.update(torch.empty(0, 5))
    for batch in batches(values):
        moments.update(batch)
    exact = values.astype(np.float32).astype(float)
    assert moments.count == 777
    for found, wanted in (
        (moments.mean, exact.mean(0)),
        (moments.std, exact.std(0)),
        (moments.min, exact.min(0)),
        (moments.max, exact.max(0)),
    ):
        np.testing.assert_allclose(found, wanted, rtol=1e-9)


def test_quantiles_of_few_photos_are_exact() -> None:
    values = np.random.default_rng(0).normal(size=(500, 3)).astype(np.float32)
    sketch = StreamingQuantiles(3)
    for batch in batches(values):
        sketch.update(batch)
    wanted = np.quantile(values, SHARES, axis=0, method="inverted_cdf").T
    np.testing.assert_array_equal(sketch.at(SHARES), wanted)


ORDERS = {
    "random": lambda values: values,
    "rising": lambda values: np.sort(values, 0),
    "falling": lambda values: np.sort(values, 0)[::-1],
    "many equal": lambda values: np.maximum(values, 0),
}


@pytest.mark.parametrize("order", ORDERS.values(), ids=ORDERS)
def test_quantiles_of_many_photos_have_the_error_that_is_stated(order: object) -> None:
    values = order(np.random.default_rng(0).normal(size=(20_000, 20))).astype(np.float32)
    sketch = StreamingQuantiles(20)
    for batch in batches(values, 33):
        sketch.update(batch)
    found, ordered = sketch.at(SHARES).numpy(), np.sort(values, 0)
    off = []
    for at in range(20):
        first = np.searchsorted(ordered[:, at], found[at], "left") / len(values)
        last = np.searchsorted(ordered[:, at], found[at], "right") / len(values)
        off.append(np.maximum(first - SHARES, np.asarray(SHARES) - last).max())
    assert max(off) < 0.01
    assert np.median(off) < 0.0053 * 1.5  # the largest of 101 quantiles each; the figure is that of a single one


def test_quantiles_take_the_same_memory_for_more_photos() -> None:
    sketch, kept = StreamingQuantiles(2), []
    for count in range(1, 2001):
        sketch.update(torch.rand(64, 2))
        if count in (50, 500, 2000):
            kept.append(sketch.stored)
    assert max(kept) <= 3 * 512 + 64 * 10  # so many levels are at the smallest size, or being filled
    assert sketch.count == 128_000


@pytest.mark.parametrize("k", [1, 4, 60])
def test_the_strongest_are_those_of_a_stable_sort(k: int) -> None:
    values = np.random.default_rng(1).integers(0, 9, (50, 6)).astype(float)
    numbers = torch.arange(50)[:, None].expand(-1, 6)
    strongest = TopK(k)
    for some, many in zip(batches(values, 7), numbers.split(7), strict=True):
        strongest.update(some, {"number": many, "twice": 2 * many})
    wanted = np.argsort(-values, 0, kind="stable")[:k].T
    np.testing.assert_array_equal(strongest.known["number"], wanted)
    np.testing.assert_array_equal(strongest.known["twice"], 2 * wanted)
    np.testing.assert_array_equal(strongest.values, np.take_along_axis(values.T, wanted, 1))


@pytest.mark.parametrize("k", [1, 4, 60])
def test_of_equal_values_those_are_kept_whose_draw_is_smaller(k: int) -> None:
    rng = np.random.default_rng(1)
    values, draws = rng.integers(0, 4, (50, 6)).astype(float), rng.random(50)
    numbers = torch.arange(50)[:, None].expand(-1, 6)
    strongest = TopK(k, ties="draw")
    for some, many in zip(batches(values, 7), numbers.split(7), strict=True):
        strongest.update(some, {"number": many, "draw": torch.from_numpy(draws)[many]})
    wanted = [np.lexsort((draws, -column))[:k] for column in values.T]
    np.testing.assert_array_equal(strongest.known["number"], wanted)


@pytest.mark.parametrize("kind", ["moments", "quantiles", "strongest"])
def test_figures_go_on_from_their_state(kind: str) -> None:
    values = np.random.default_rng(0).normal(size=(3000, 2)).astype(np.float32)
    new = {
        "moments": lambda: StreamingMoments(2),
        "quantiles": lambda: StreamingQuantiles(2),
        "strongest": lambda: TopK(5),
    }
    whole, first, second = (new[kind]() for _ in range(3))

    def update(figures: StreamingMoments | StreamingQuantiles | TopK, batch: torch.Tensor) -> None:
        figures.update(batch, {"double": batch * 2}) if isinstance(figures, TopK) else figures.update(batch)

    for at, batch in enumerate(batches(values)):
        update(whole, batch)
        if at == 50:
            second.load_state(first.state())
        update(first if at < 50 else second, batch)
    assert_same(second.state(), whole.state())


def assert_same(one: object, other: object) -> None:
    if isinstance(one, dict) and isinstance(other, dict):
        assert one.keys() == other.keys()
        one, other = list(one.values()), list(other.values())
    if isinstance(one, list) and isinstance(other, list):
        for first, second in zip(one, other, strict=True):
            assert_same(first, second)
    else:
        np.testing.assert_array_equal(one, other)
