"""Directions where nothing is seen, and at wide angles."""

from functools import partial

import pytest
import torch
from photo_folder import tiny
from refusals import assert_refused

from featviz.models.backbone import Backbone
from featviz.objectives import (
    Direction,
)
from featviz.objectives.base import units_of


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


def test_vectors_of_several_layers_are_those_of_each_alone() -> None:
    vectors = {"first": torch.randn(3, 6).tolist(), "second": torch.randn(2, 20).tolist()}
    model = tiny()
    backbone = Backbone(model, ["first", "second"])
    maps = backbone(model.noise())
    for layer, of_layer in vectors.items():
        both, alone = Direction(layer, [1], vectors), Direction(layer, [1], of_layer)
        both.prepare(backbone)
        assert both(maps).tolist() == alone(maps).tolist()
        counted = units_of(partial(Direction, vectors=vectors), "all", backbone.layers[layer], model, 0)
        assert counted == list(range(len(of_layer)))


def test_a_layer_without_vectors_is_told() -> None:
    backbone = Backbone(tiny(), ["second"])
    direction = Direction("second", [0], {"secnd": [1.0] * 20})
    assert_refused(lambda: direction.prepare(backbone), "objective.vectors", "second", "secnd")
