"""Copies count whose gradients differ by rounding alone; copies of which more differs do not."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from featviz.models.backbone import Backbone
from featviz.models.model import Model
from featviz.models.speed import faster_copy
from featviz.models.speed.faster_copy import SpeedOptions


class DecidedByRounding(nn.Module):
    """Positions that differ by rounding alone compete for the place of the largest: so untrained networks fade."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.bn, self.out = nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Conv2d(8, 4, 3)
        with torch.no_grad():
            self.conv.weight.mul_(1e-6)
            self.bn.running_mean.uniform_(-0.3, 0.3)  # type: ignore[union-attr]

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.out(F.max_pool2d(self.bn(self.conv(x)), 2))
        return out


class Doubled(torch.autograd.Function):
    """Hands on what it gets, and twice its gradient."""

    @staticmethod
    def forward(_ctx: object, features: Tensor) -> Tensor:
        return features.clone()

    @staticmethod
    def backward(_ctx: object, gradient: Tensor) -> Tensor:  # type: ignore[override]
        return 2 * gradient


class DoublesTheGradient(nn.BatchNorm2d):
    def forward(self, input: Tensor) -> Tensor:
        out: Tensor = Doubled.apply(super().forward(input))
        return out


def model(network: nn.Module) -> Model:
    return Model("net", network, (0.5,), (0.25,), 24, "random")


def test_gradients_that_rounding_decides_are_compared_in_double_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    network = model(DecidedByRounding())
    assert Backbone(network, ["out"], fast=SpeedOptions()).describe().startswith("1 of 1 batch norms folded")
    monkeypatch.setattr(faster_copy._Copies, "_same_in_double", lambda *_: False)  # the case is one
    assert Backbone(network, ["out"], fast=SpeedOptions()).describe().startswith("0 of 1 batch norms folded")


def test_another_gradient_is_another_network() -> None:
    torch.manual_seed(0)
    network = model(nn.Sequential(nn.Conv2d(3, 8, 3), DoublesTheGradient(8), nn.Conv2d(8, 4, 3), nn.BatchNorm2d(4)))
    pictures = torch.rand(1, 3, 24, 24, requires_grad=True)
    slow, fast = (Backbone(network, ["3"], fast=how) for how in (None, SpeedOptions()))
    gradients = [torch.autograd.grad(each(pictures)["3"].square().sum(), pictures)[0] for each in (slow, fast)]
    torch.testing.assert_close(gradients[1], gradients[0], rtol=1e-3, atol=1e-4)


class SinglePrecisionOnly(DecidedByRounding):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.float())


def test_a_network_that_knows_no_double_precision_is_used_as_it_is() -> None:
    torch.manual_seed(0)
    backbone = Backbone(model(SinglePrecisionOnly()), ["out"], fast=SpeedOptions())
    assert backbone.describe().startswith("0 of 1 batch norms folded")


@pytest.fixture
def pictures() -> Tensor:
    return torch.rand(2, 3, 40, 48, generator=torch.Generator().manual_seed(1))


def plain(*more: nn.Module) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(3, 4, 3, 2, 1), nn.BatchNorm2d(4), nn.ReLU(inplace=True), *more)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_a_fast_backbone_takes_any_number_of_channels(channels: int) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(channels, 6, 3), nn.BatchNorm2d(6), nn.ReLU(), nn.Conv2d(6, 4, 3))
    gray = Model("own", network, (0.3,), (0.4,), 28, "given")
    pictures = torch.rand(2, channels, 28, 28)
    plain, fast = (Backbone(gray, ["3"], fast=how)(pictures)["3"] for how in (None, SpeedOptions()))
    torch.testing.assert_close(fast, plain, rtol=1e-4, atol=1e-5)


class WithVolumes(nn.Module):
    """Has weights of five dimensions too, as layers have that look at pairs of positions (LambdaNetworks)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.bn, self.pairs = nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Conv3d(1, 2, 3)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.pairs(self.bn(self.conv(x))[:, None]).flatten(1, 2)
        return out


def test_weights_of_five_dimensions_hold_nothing_up() -> None:
    torch.manual_seed(0)
    network, pictures = model(nn.Sequential(WithVolumes(), nn.Conv2d(12, 3, 1))), torch.rand(2, 3, 24, 24)
    slow, fast = (Backbone(network, ["1"], fast=how) for how in (None, SpeedOptions()))
    assert fast.describe() == "1 of 1 batch norms folded, channels last in memory"
    torch.testing.assert_close(fast(pictures)["1"], slow(pictures)["1"])
