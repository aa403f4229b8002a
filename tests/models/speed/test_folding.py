"""Folded networks compute the same, layer by layer."""

import copy
import logging
from collections.abc import Callable
from functools import cache

import pytest
import torch
from torch import Tensor, nn

from featviz.models.backbone import Backbone
from featviz.models.model import Model
from featviz.models.sources import efficientnet_lite, timm, torchvision
from featviz.models.speed.faster_copy import SpeedOptions
from featviz.models.speed.folding import fold, foldable


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


def folded(network: nn.Module, keep: list[str], pictures: Tensor) -> nn.Module:
    other = copy.deepcopy(network)
    fold(other, {conv: norm for conv, norm in foldable(other, pictures).items() if conv not in keep})
    return other


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
        (efficientnet_lite.load, 49, 49),
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


@cache
def small() -> Model:
    """A network of the kinds of blocks that the default one has, which nothing here changes."""
    model = timm.load("test_efficientnet", weights="random")
    lively(model)
    return model


@pytest.mark.parametrize("layer", ["conv_stem", "blocks.1.0.conv_pwl", "blocks.3.0.conv_dw", "blocks.4.0.conv_pwl"])
def test_the_layer_asked_for_is_not_folded(layer: str) -> None:
    network = small().network
    assert differences(network, folded(network, [layer], torch.zeros(1, 3, 64, 64)))[layer] < 1e-4
    assert differences(network, folded(network, [], torch.zeros(1, 3, 64, 64)))[layer] > 1e-2


@pytest.mark.parametrize("layer", ["bn1", "blocks.3.0.conv_dw", "blocks.4.0.bn2.act", "classifier"])
def test_a_fast_backbone_hands_out_the_same(layer: str) -> None:
    model = small()
    pictures = torch.rand(2, 3, 70, 70, generator=torch.Generator().manual_seed(1), requires_grad=True)
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
        (None, "0 of 13 batch norms folded, channels first in memory"),
        (SpeedOptions(), "13 of 13 batch norms folded, channels last in memory"),
        (SpeedOptions(fold=False), "0 of 13 batch norms folded, channels last in memory"),
        (SpeedOptions(channels_last=False), "13 of 13 batch norms folded, channels first in memory"),
    ],
)
def test_how_the_network_is_run_is_told(faster: SpeedOptions | None, words: str) -> None:
    backbone = Backbone(small(), ["layer4"], fast=faster)
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


def test_what_cannot_be_folded_is_left() -> None:
    model = Model("shared", Shared(), (0.0,), (1.0,), 16, "random")
    lively(model)
    assert not foldable(model.network, torch.zeros(1, 3, 16, 16))  # before bn3 stands a ReLU, in place
    pictures = torch.rand(2, 3, 16, 16)
    for layer in ("bn", "bn2", "bn3"):
        backbone = Backbone(model, [layer], fast=SpeedOptions())
        assert backbone.describe() == "0 of 3 batch norms folded, channels last in memory"
        expected = Backbone(model, [layer])(pictures)[layer]
        torch.testing.assert_close(backbone(pictures)[layer], expected, rtol=1e-4, atol=1e-5)


class Base(nn.Module):
    """Two convolutions with batch norms, of which the first may be used in other ways too."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.bn = nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8)
        self.second, self.bn2 = nn.Conv2d(8, 4, 3, padding=1), nn.BatchNorm2d(4)

    def between(self, y: Tensor) -> Tensor:
        out: Tensor = self.bn(y)
        return out

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.bn2(self.second(self.between(self.first(x)).relu()))
        return out


class SilentReader(Base):
    """The second reader is zero for the pictures of the check."""

    def between(self, y: Tensor) -> Tensor:
        return super().between(y) + (y - 50).relu()


class ReaderWithoutGradient(Base):
    def between(self, y: Tensor) -> Tensor:
        return super().between(y) * (y.detach().mean() < 50)


class ReaderOfAView(Base):
    def between(self, y: Tensor) -> Tensor:
        return super().between(y) + 0 * y[:, :1, :1, :1]


class ReaderOfTheWeights(Base):
    def between(self, y: Tensor) -> Tensor:
        return super().between(y) * self.first.weight.mean()


class Keeper(Base):
    def between(self, y: Tensor) -> Tensor:
        self.last = y[0]
        return super().between(y)


class ScaledWeights(nn.Conv2d):
    """A convolution whose weights are computed from its parameter, as in weight standardization."""

    def forward(self, x: Tensor) -> Tensor:
        return self._conv_forward(x, self.weight / self.weight.norm(), self.bias)


class Standardized(Base):
    def __init__(self) -> None:
        super().__init__()
        self.first = ScaledWeights(3, 8, 3, padding=1)


READERS = [SilentReader, ReaderWithoutGradient, ReaderOfAView, ReaderOfTheWeights, Keeper, Standardized]


@pytest.mark.parametrize("build", READERS)
def test_a_convolution_with_another_use_is_not_folded_but_all_others_are(build: type[Base]) -> None:
    torch.manual_seed(0)
    model = Model("net", build().eval(), (0.5,), (0.25,), 24, "random")
    lively(model)
    assert foldable(model.network, torch.zeros(1, 3, 24, 24)) == {"second": "bn2"}
    pictures = torch.ones(2, 3, 24, 24)
    pictures[..., 12:] = 0
    pictures.requires_grad_()
    results = []
    for fast in (None, SpeedOptions()):
        maps = Backbone(model, ["bn2"], fast=fast)(20 * pictures)["bn2"]
        (gradient,) = torch.autograd.grad(maps.square().mean(), pictures)
        results.append((maps.detach(), gradient))
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(other, one, rtol=1e-4, atol=1e-4 * one.abs().max().item())


def test_without_another_use_both_are_folded() -> None:
    torch.manual_seed(0)
    assert foldable(Base().eval(), torch.zeros(1, 3, 24, 24)) == {"first": "bn", "second": "bn2"}


class KeepsItsRectified(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.relu, self.out = nn.Conv2d(3, 8, 3), nn.ReLU(inplace=True), nn.Conv2d(8, 4, 3)
        self.memory: list[Tensor] = []

    def forward(self, x: Tensor) -> Tensor:
        y = self.relu(self.conv(x))
        self.memory.append(y[:, :2])
        out: Tensor = self.out(y)
        return out


def test_a_rectified_feature_map_that_the_network_keeps_is_not_overwritten() -> None:
    torch.manual_seed(0)
    model = Model("net", KeepsItsRectified().eval(), (0.5,), (0.25,), 24, "random")
    backbone = Backbone(model, ["out"], fast=SpeedOptions())
    pictures = torch.rand(1, 3, 24, 24).requires_grad_()
    score = backbone(pictures)["out"].square().sum()
    memory = backbone.network.memory[-1]
    before = memory.detach().clone()
    score.backward()
    assert torch.equal(memory.detach(), before)


def test_a_network_that_cannot_be_copied_is_used_as_it_is(caplog: pytest.LogCaptureFixture) -> None:
    model = Model("locked", nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)), (0.0,), (1.0,), 16, "random")
    model.network.__deepcopy__ = lambda _memo: 1 / 0
    with caplog.at_level(logging.INFO, "featviz"):
        backbone = Backbone(model, ["1"], fast=SpeedOptions())
    assert "locked: batch norms are not folded: division by zero" in caplog.text
    assert backbone.network is model.network
