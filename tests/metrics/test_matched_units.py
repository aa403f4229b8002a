"""Units of two networks that answer alike, against NumPy."""

import math

import numpy as np
import pytest
import torch

from featviz.metrics.matched_units import most_alike, standing


def test_the_unit_most_alike_is_that_of_the_largest_correlation() -> None:
    rng = np.random.default_rng(0)
    values, others = rng.normal(size=60), rng.normal(size=(60, 30))
    others[:, 7] = 3 * values + rng.normal(size=60) - 5
    others[:, 11] = -values  # the opposite
    others[:, 12] = 4.0  # never varies
    correlations = [np.corrcoef(values, other)[0, 1] if other.std() else -1 for other in others.T]
    unit, alike = most_alike(torch.from_numpy(values), torch.from_numpy(others))
    assert unit == 7
    assert alike == pytest.approx(max(correlations))
    assert math.isnan(most_alike(torch.ones(5), torch.rand(5, 3))[1])


def test_standing_is_in_standard_deviations_of_photos() -> None:
    values = np.random.default_rng(1).normal(3, 2, size=50)
    assert standing(9.0, torch.from_numpy(values)) == pytest.approx((9 - values.mean()) / values.std())
    assert math.isnan(standing(9.0, torch.ones(4)))
