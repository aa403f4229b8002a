"""Gram matrices, and how alike they are."""

import numpy as np
import pytest
import torch
from formulas import (
    gram_cosine,
)

from featviz.objectives import (
    Diversity,
)
from featviz.objectives.diversity import gram_cosines


@pytest.mark.parametrize("positions", [(2, 2), (4, 4)])
def test_gram_matrices_are_compared_alike_with_fewer_and_with_more_positions_than_filters(
    positions: tuple[int, int],
) -> None:
    maps = np.random.default_rng(0).normal(size=(3, 6, *positions))
    expected = [[gram_cosine(one, other) for other in maps] for one in maps]
    np.testing.assert_allclose(gram_cosines(torch.from_numpy(maps).flatten(2)), expected, rtol=1e-6)


def test_the_gram_matrices_of_dead_maps_have_no_gradient_that_is_not_finite() -> None:
    maps = torch.zeros(2, 6, 4, 4, requires_grad=True)
    Diversity("late", [1, 1])({"late": maps}).sum().backward()
    assert maps.grad is not None
    assert maps.grad.isfinite().all()
