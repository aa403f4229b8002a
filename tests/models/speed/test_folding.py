"""Folded networks compute the same, layer by layer."""

import logging
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from featviz.models.backbone import Backbone
from featviz.models.model import Model
from featviz.models.sources import efficientnet_lite0, torchvision
from featviz.models.speed.faster_copy import SpeedOptions
from featviz.models.speed.folding import folded


def outputs(network: nn.Module, pictures: Tensor) -> dict[str, Tensor]:
    """What each module handed out last."""
    caught: dict[str, Tensor] = {}
    handles = [
        module.register_forward_hook(lambda _m, _i, output, name=name: caught.update({name: output.clone()}))
        for name, module in network.named_modules()
        if name
    ]
    with torch.no_grad():
        network(pictures)
    for handle in handles:
        handle.remove()
    return caught


def differences(network: nn.Module, other: nn.Module, size: int = 96) -> dict[str, float]:
    """The largest difference at each module, as a share of its largest number."""
    pictures = torch.rand(2, 3, size, size, generator=torch.Generator().manual_seed(1)) * 2 - 1
    usual, changed = outputs(network, pictures), outputs(other, pictures)
    assert list(usual) == list(changed)
    return {n: ((usual[n] - changed[n]).abs().max() / usual[n].abs().max().clamp_min(1e-9)).item() for n in usual}


def lively(model: Model) -> nn.Module:
    """Random weights with batch norms that do something."""
    generator = torch.Generator().manual_seed(0)
    for module in model.network.modules():
        if isinstance(module, nn.BatchNorm2d):
            for values, low, high in ((module.running_mean, -0.3, 0.3), (module.running_var, 0.5, 2.0)):
                values.uniform_(low, high, generator=generator)
            for parameter, low, high in ((module.weight, 0.5, 1.5), (module.bias, -0.2, 0.2)):
                parameter.data.uniform_(low, high, generator=generator)
    return model.network


@pytest.mark.parametrize(
    ("load", "folds", "norms"),
    [
        (efficientnet_lite0.load, 49, 49),
        (lambda: torchvision.load("resnet34", "random"), 36, 36),
        # of its 121 batch norms these stand behind a convolution; the others come before one
        (lambda: torchvision.load("densenet121", "random"), 59, 121),
    ],
    ids=["efficientnet_lite0", "resnet34", "densenet121"],
)
def test_every_layer_hands_out_the_same(load: Callable[[], Model], folds: int, norms: int) -> None:
    model = load()
    network = lively(model) if model.weights == "random" else model.network
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    other = folded(network, [], torch.zeros(1, 3, 64, 64))
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())
    assert sum(isinstance(m, nn.BatchNorm2d) for m in network.modules()) == norms
    assert sum(isinstance(m, nn.BatchNorm2d) for m in other.modules()) == norms - folds
    unlike = {name for name, difference in differences(network, other).items() if difference > 1e-4}
    convolutions = {name for name, module in network.named_modules() if isinstance(module, nn.Conv2d)}
    assert unlike <= convolutions
    assert len(unlike) > folds / 2  # they carry the batch norm now: the test would see a difference


@pytest.mark.parametrize("layer", ["conv_stem", "blocks.1.0.conv_pw", "blocks.2.1.conv_dw", "blocks.4.2.conv_pwl"])
def test_the_layer_asked_for_is_not_folded(layer: str) -> None:
    network = efficientnet_lite0.load().network
    assert differences(network, folded(network, [layer], torch.zeros(1, 3, 64, 64)))[layer] < 1e-4
    assert differences(network, folded(network, [], torch.zeros(1, 3, 64, 64)))[layer] > 1e-2


@pytest.mark.parametrize("layer", ["bn1", "blocks.1.1.conv_dw", "blocks.2.1.bn2.act", "layer3", "classifier"])
def test_a_fast_backbone_hands_out_the_same(layer: str) -> None:
    model = efficientnet_lite0.load()
    pictures = torch.rand(2, 3, 100, 100, generator=torch.Generator().manual_seed(1), requires_grad=True)
    results = []
    for fast in (None, SpeedOptions(), SpeedOptions(fold=False), SpeedOptions(channels_last=False)):
        maps = Backbone(model, [layer], fast=fast)(pictures)[layer]
        (gradient,) = torch.autograd.grad(maps.square().mean(), pictures)
        results.append((maps.detach(), gradient))
    for changed in results[1:]:
        for one, other in zip(results[0], changed, strict=True):
            torch.testing.assert_close(other, one, rtol=1e-3, atol=1e-4 * one.abs().max().item())


@pytest.mark.parametrize(
    ("faster", "words"),
    [
        (None, "0 of 49 batch norms folded, channels first in memory"),
        (SpeedOptions(), "49 of 49 batch norms folded, channels last in memory"),
        (SpeedOptions(fold=False), "0 of 49 batch norms folded, channels last in memory"),
        (SpeedOptions(channels_last=False), "49 of 49 batch norms folded, channels first in memory"),
    ],
)
def test_how_the_network_is_run_is_told(faster: SpeedOptions | None, words: str) -> None:
    backbone = Backbone(efficientnet_lite0.load(), ["layer4"], fast=faster)
    assert backbone.describe() == words
    weight = next(m.weight for m in backbone.network.modules() if isinstance(m, nn.Conv2d) and m.in_channels > 1)
    assert weight.is_contiguous() != words.endswith("last in memory")


class Shared(nn.Module):
    """Its first convolution's output goes into the batch norm and past it; its second is called twice."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.bn = nn.Conv2d(3, 3, 3, padding=1), nn.BatchNorm2d(3)
        self.second, self.bn2 = nn.Conv2d(3, 3, 3, padding=1), nn.BatchNorm2d(3)
        self.third, self.bn3 = nn.Conv2d(3, 3, 3, padding=1), nn.BatchNorm2d(3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        x = self.bn(x) + x
        x = self.bn2(self.second(self.second(x)))
        return self.bn3(self.third(x).relu_())


def test_what_cannot_be_folded_is_left_and_said(caplog: pytest.LogCaptureFixture) -> None:
    model = Model("shared", Shared(), (0.0,), (1.0,), 16, "random")
    lively(model)
    other = folded(model.network, [], torch.zeros(1, 3, 16, 16))
    assert isinstance(other.bn2, nn.BatchNorm2d)
    assert isinstance(other.bn3, nn.BatchNorm2d)  # between it and its convolution stands a ReLU, in place
    with caplog.at_level(logging.INFO, "featviz"):
        backbone = Backbone(model, ["bn"], fast=SpeedOptions())
        assert "fold" not in caplog.text  # at this layer the difference does not show
        backbone = Backbone(model, ["bn3"], fast=SpeedOptions())
    assert "shared: batch norms are not folded: bn3" in caplog.text
    pictures = torch.rand(1, 3, 16, 16)
    assert torch.equal(backbone(pictures)["bn3"], model.network(pictures))


def test_a_network_that_cannot_be_copied_is_used_as_it_is(caplog: pytest.LogCaptureFixture) -> None:
    model = Model("locked", nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)), (0.0,), (1.0,), 16, "random")
    model.network.__deepcopy__ = lambda _memo: 1 / 0
    with caplog.at_level(logging.INFO, "featviz"):
        backbone = Backbone(model, ["1"], fast=SpeedOptions())
    assert "locked: batch norms are not folded: division by zero" in caplog.text
    assert backbone.network is model.network
