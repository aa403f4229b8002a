"""Layers from which no gradient comes to the picture are refused, and one that is zero is said."""

from functools import partial

import pytest
import torch
from refusals import assert_refused
from torch import Tensor, nn

import featviz
from featviz.models.backbone import Backbone
from featviz.models.gradient_check import check_gradient
from featviz.models.model import Model


def model(network: nn.Module) -> Model:
    return Model("tiny", network, (0.4, 0.5, 0.6), (0.2, 0.25, 0.3), 32, "random")


class Detached(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3)

    def cut(self, x: Tensor) -> Tensor:
        return x.detach()

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.second(self.cut(self.first(x)))
        return out


class Ungraded(Detached):
    @torch.no_grad()
    def cut(self, x: Tensor) -> Tensor:
        return 2 * x


class Constant(Detached):
    def cut(self, x: Tensor) -> Tensor:
        return torch.ones(len(x), 4, 8, 8)


@pytest.mark.parametrize("build", [Detached, Ungraded, Constant])
def test_a_layer_without_a_gradient_is_refused_in_one_line(build: type[nn.Module]) -> None:
    backbone = Backbone(model(build()), ["first", "second"])
    assert_refused(lambda: check_gradient(backbone, 32), "layer", "second", "a layer before that")
    check_gradient(Backbone(model(build()), ["first"]), 32)
    overrides = ["schedule=constant", "schedule.steps=1", "schedule.size=32", "transforms=none"]
    call = partial(featviz.visualize, model(build()), layer="second", filters=[0], overrides=overrides)
    assert_refused(call, "layer", "second", "a layer before that")


class Rounded(Detached):
    def cut(self, x: Tensor) -> Tensor:
        return x.round()


def test_a_gradient_that_is_zero_is_said(caplog: pytest.LogCaptureFixture) -> None:
    check_gradient(Backbone(model(Rounded()), ["first"]), 32)
    assert caplog.text == ""
    check_gradient(Backbone(model(Rounded()), ["second"]), 32)
    assert "layer 'second' of tiny: the gradient is zero in a picture of noise: the network rounds" in caplog.text
    caplog.clear()
    normalized = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Softmax(1))
    check_gradient(Backbone(model(normalized), ["1"]), 32)
    assert caplog.text == ""
