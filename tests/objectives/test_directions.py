"""Directions where nothing is seen, and at wide angles."""

import pytest
import torch

from featviz.objectives import (
    Direction,
)


@pytest.mark.parametrize("power", [0.0, 1.0, 2.0])
def test_a_direction_has_a_finite_gradient_where_nothing_is_seen(power: float) -> None:
    maps = torch.zeros(1, 3, 2, 2, requires_grad=True)
    Direction("late", [0], [1.0, 2.0, 3.0], power)({"late": maps}).sum().backward()
    assert maps.grad is not None
    assert maps.grad.isfinite().all()
    assert maps.grad.any()


def test_a_wide_angle_still_leads_towards_the_vector() -> None:
    maps = torch.tensor([-1.0, 0.2]).view(1, 2, 1, 1).requires_grad_()
    score = Direction("late", [0], [1.0, 0.0], 2.0)({"late": maps})
    score.backward()
    assert score.item() == pytest.approx(-0.01)
    assert maps.grad.flatten().tolist() == pytest.approx([0.01, 0.0])
