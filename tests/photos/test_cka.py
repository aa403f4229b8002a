"""Centered kernel alignment over a stream, against NumPy and what is known of it."""

import numpy as np
import pytest
import torch

from featviz.photos.cka import StreamingCKA, gram, unbiased_hsic

Features = dict[str, torch.Tensor]


def features(photos: int, seed: int = 0, width: int = 24) -> torch.Tensor:
    return torch.randn(photos, width, generator=torch.Generator().manual_seed(seed))


def streamed(first: Features, second: Features, batch: int) -> torch.Tensor:
    cka = StreamingCKA()
    photos = len(next(iter(first.values())))
    for at in range(0, photos, batch):
        cka.update(*({name: gram(of[at : at + batch]) for name, of in side.items()} for side in (first, second)))
    return cka.value()


def hsic_by_hand(x: np.ndarray, y: np.ndarray) -> float:
    """Song et al. 2012, equation 5, by its matrices."""
    n = len(x)
    k, m = (values @ values.T for values in (x, y))
    k, m = k - np.diag(np.diag(k)), m - np.diag(np.diag(m))
    one = np.ones(n)
    middle = one @ k @ one * (one @ m @ one) / ((n - 1) * (n - 2))
    return float((np.trace(k @ m) + middle - 2 / (n - 2) * one @ k @ m @ one) / (n * (n - 3)))


def test_the_estimate_is_that_of_the_paper() -> None:
    x, y = features(20).double() + 3, features(20, 1, 7).double() - 1  # means do not matter
    expected = hsic_by_hand(x.numpy(), y.numpy())
    assert unbiased_hsic(gram(x)[None], gram(y)[None]).item() == pytest.approx(expected, rel=1e-4)


def test_batches_are_summed_before_the_quotient() -> None:
    x, y = features(40), features(40) + features(40, 1)
    parts = [(x[at : at + 8].numpy().astype(float), y[at : at + 8].numpy().astype(float)) for at in range(0, 40, 8)]
    sums = [
        sum(hsic_by_hand(*pair) for pair in pairs)
        for pairs in (parts, [(a, a) for a, _ in parts], [(b, b) for _, b in parts])
    ]
    expected = sums[0] / np.sqrt(sums[1] * sums[2])
    assert streamed({"x": x}, {"y": y}, 8).item() == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("batch", [8, 16, 64])
def test_rotation_and_scale_make_no_difference(batch: int) -> None:
    x = features(64)
    rotation, _ = torch.linalg.qr(features(24, 2))
    assert streamed({"x": x}, {"y": 5 * x @ rotation + 1}, batch).item() == pytest.approx(1, abs=1e-5)


def test_the_size_of_batches_changes_little() -> None:
    x = features(4096)
    y = x[:, :12] @ features(12, 3)
    values = [streamed({"x": x}, {"y": y}, batch).item() for batch in (16, 64, 512)]
    assert max(values) - min(values) < 0.01


def test_unrelated_features_are_not_alike() -> None:
    """Where the biased estimate would say .6 of batches of 16."""
    assert abs(streamed({"x": features(4096)}, {"y": features(4096, 1)}, 16).item()) < 0.01


def test_each_layer_with_each() -> None:
    first = {"a": features(64), "b": features(64, 1)}
    second = {"c": features(64, 1), "d": features(64), "e": torch.ones(64, 3)}
    values = streamed(first, second, 16)
    assert values.shape == (2, 3)
    assert values[0, 1].item() == pytest.approx(1)
    assert values[1, 0].item() == pytest.approx(1)
    assert values[:, 2].isnan().all()  # it answers to all photos alike


def test_batches_of_few_photos_are_left_out() -> None:
    cka = StreamingCKA()
    cka.update({"a": gram(features(3))}, {"a": gram(features(3))})
    assert (cka.photos, cka.value().numel()) == (0, 0)
