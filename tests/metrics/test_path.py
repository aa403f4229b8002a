"""Ways through earlier layers, against SciPy's rank correlations."""

import math

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from torch import Tensor, nn

from featviz.metrics.path import MOST_LAYERS, earlier_layers, path_likeness, rank_vectors
from featviz.models.model import Model
from featviz.models.tracing import trace

LAYERS = ("first", "second")


def means(count: int, seed: int, towards: float = 0.0) -> dict[str, Tensor]:
    """Channel means of photos in two layers; ``towards`` is how far they go a way of their own."""
    rng, way = np.random.default_rng(seed), np.random.default_rng(99).normal(size=20)
    return {name: torch.from_numpy(rng.normal(size=(count, 20)) + towards * way) for name in LAYERS}


def ranks(of: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: rank_vectors(values) for name, values in of.items()}


def test_products_of_rank_vectors_are_rank_correlations_with_equal_ones_among_them() -> None:
    values = np.random.default_rng(0).normal(size=(6, 30))
    values[:, ::4] = 0.0  # silent channels
    vectors = rank_vectors(torch.from_numpy(values))
    np.testing.assert_allclose(vectors @ vectors.T, spearmanr(values.T).statistic, atol=1e-12)


def test_a_unit_s_own_photos_are_at_one_and_unrelated_ones_at_zero() -> None:
    top, unrelated = means(9, 1, 1.0), means(40, 2)
    scores = [
        path_likeness(
            {name: rank_vectors(values)[at] for name, values in unrelated.items()}, ranks(top), ranks(unrelated)
        )
        for at in range(40)
    ]
    assert np.mean(scores) == pytest.approx(0, abs=1e-9)
    more = means(30, 3, 1.0)
    own = [
        path_likeness({n: rank_vectors(v)[at] for n, v in more.items()}, ranks(top), ranks(unrelated))
        for at in range(30)
    ]
    assert np.mean(own) == pytest.approx(1, abs=0.15)


def test_the_likeness_by_hand() -> None:
    picture, top, unrelated = means(1, 5, 0.5), means(4, 6, 1.0), means(7, 7)
    among = other = score = 0.0
    for name in LAYERS:
        pairs = [spearmanr(top[name][i], top[name][j]).statistic for i in range(4) for j in range(4) if i != j]
        among += np.mean(pairs)
        other += np.mean([spearmanr(one, two).statistic for one in top[name] for two in unrelated[name]])
        score += np.mean([spearmanr(one, picture[name][0]).statistic for one in top[name]])
    found = path_likeness({n: rank_vectors(v)[0] for n, v in picture.items()}, ranks(top), ranks(unrelated))
    assert found == pytest.approx((score - other) / (among - other))


def test_photos_without_a_way_of_their_own_give_no_number() -> None:
    picture = {name: rank_vectors(values)[0] for name, values in means(1, 5).items()}
    assert math.isnan(path_likeness(picture, ranks(means(9, 8)), ranks(means(40, 2))))


def test_earlier_layers_are_those_before_with_positions_and_enough_channels() -> None:
    blocks = [nn.Sequential(nn.Conv2d(12, 12, 3, padding=1), nn.Identity(), nn.ReLU()) for _ in range(6)]
    head = (nn.Conv2d(12, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))
    network = nn.Sequential(nn.Conv2d(3, 12, 3), *blocks, *head)
    traced = trace(Model("net", network, (0.5,), (0.5,), 24, "random"))
    assert earlier_layers(traced, "1") == ["0"]
    assert earlier_layers(traced, "0") == []
    assert earlier_layers(traced, "1.2") == ["0", "1.0"]
    before = earlier_layers(traced, "logits")
    assert (len(before), before[-1]) == (MOST_LAYERS, "6")
    assert not [name for name in before if name.endswith(".1")]  # what hands on what was there before
