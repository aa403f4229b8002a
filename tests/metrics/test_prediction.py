"""Regression of a unit's answers on another network's, against scikit-learn and photos left out one by one."""

import math

import numpy as np
import pytest
import torch
from sklearn.kernel_ridge import KernelRidge

from featviz.metrics.prediction import PENALTIES, Regression, kernel

RNG = np.random.default_rng(0)
LAYERS = [RNG.normal(size=(30, 12)), RNG.normal(size=(30, 5))]
ANSWERS = LAYERS[0][:, 3] + LAYERS[1][:, 0] + 0.3 * RNG.normal(size=30) + 7
PRODUCTS = sum(layer @ layer.T / layer.shape[1] for layer in LAYERS)


def test_the_kernel_is_the_sum_over_layers_each_counting_the_same() -> None:
    found = kernel([(torch.from_numpy(layer[:4]), torch.from_numpy(layer)) for layer in LAYERS])
    np.testing.assert_allclose(found, PRODUCTS[:4], rtol=1e-12)


def test_photos_left_out_are_predicted_as_if_they_had_not_been_there() -> None:
    found = Regression.of(torch.from_numpy(PRODUCTS), torch.from_numpy(ANSWERS))
    best = None
    for penalty in PENALTIES:
        ridge = KernelRidge(alpha=penalty * PRODUCTS.diagonal().mean(), kernel="precomputed")
        left_out = []
        for at in range(30):
            rest = [other for other in range(30) if other != at]
            ridge.fit(PRODUCTS[np.ix_(rest, rest)], ANSWERS[rest] - ANSWERS.mean())
            left_out.append(ridge.predict(PRODUCTS[at : at + 1, rest])[0] + ANSWERS.mean())
        error = np.square(np.array(left_out) - ANSWERS).sum()
        if best is None or error < best[0]:
            best = error, left_out, ridge.fit(PRODUCTS, ANSWERS - ANSWERS.mean())
    np.testing.assert_allclose(found.left_out, best[1], rtol=1e-6)
    assert found.correlation == pytest.approx(np.corrcoef(best[1], ANSWERS)[0, 1])
    picture = RNG.normal(size=30)
    predicted = best[2].predict(picture[None])[0] + ANSWERS.mean()
    expected = (predicted - np.mean(best[1])) / np.std(best[1])
    assert found.standing(torch.from_numpy(picture)) == pytest.approx(expected)


def test_a_unit_that_always_answers_the_same_has_no_correlation() -> None:
    found = Regression.of(torch.from_numpy(PRODUCTS), torch.full((30,), 2.0))
    assert math.isnan(found.correlation)
    assert math.isnan(found.standing(torch.from_numpy(PRODUCTS[0])))
