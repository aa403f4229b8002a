"""Batch norms in eval mode: the right gradient, of a picture alone as beside others."""

import copy
from itertools import product

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from featviz.models.backbone import Backbone
from featviz.models.batch_norm import BatchNormsAsScales, ScaleShift, eval_norms, replace_norms
from featviz.models.model import Model
from featviz.models.speed.faster_copy import SpeedOptions


class Tokens(nn.Module):
    """What goes back into its batch norm has the channels last: torch's own kernel takes it in the wrong order."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.bn, self.norm = nn.Conv2d(3, 16, 4, 4), nn.BatchNorm2d(16), nn.LayerNorm(16)
        self.fc, self.act = nn.Linear(16, 8), nn.GELU()

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv(x)
        tokens = self.bn(y).flatten(2).transpose(1, 2) + 0.1 * y.flatten(2).transpose(1, 2)
        out: Tensor = self.act(self.fc(self.norm(tokens)))
        return out


class FunctionalTokens(Tokens):
    """The same, without a call of the module."""

    def forward(self, x: Tensor) -> Tensor:
        y, bn = self.conv(x), self.bn
        tokens = F.batch_norm(y, bn.running_mean, bn.running_var, bn.weight, bn.bias, False, 0.1, bn.eps)
        tokens = tokens.flatten(2).transpose(1, 2) + 0.1 * y.flatten(2).transpose(1, 2)
        out: Tensor = self.act(self.fc(self.norm(tokens)))
        return out


class Tokens1d(Tokens):
    """A batch norm of tokens, (N, channels, tokens), and one of (N, channels)."""

    def __init__(self) -> None:
        super().__init__()
        self.bn, self.last, self.act = nn.BatchNorm1d(16), nn.BatchNorm1d(8), nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.norm(self.bn(self.conv(x).flatten(2)).transpose(1, 2))
        out: Tensor = self.act(self.last(self.fc(tokens).mean(1)))
        return out


class Convolutions(nn.Module):
    """A batch norm before a convolution, one behind it, and one behind a shortcut."""

    def __init__(self) -> None:
        super().__init__()
        self.bn, self.conv, self.bn2 = nn.BatchNorm2d(3), nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8)
        self.bn3, self.act = nn.BatchNorm2d(8), nn.GELU()

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn2(self.conv(self.bn(x)))
        out: Tensor = self.act(self.bn3(y + y.mean((2, 3), keepdim=True)))
        return out


NETWORKS = [Tokens, FunctionalTokens, Tokens1d, Convolutions]
FAST = [None, SpeedOptions(), SpeedOptions(fold=False, channels_last=False), SpeedOptions(fold=False)]


def lively(build: type[nn.Module]) -> nn.Module:
    """Random weights and statistics, negative scales among them."""
    torch.manual_seed(0)
    network = build().eval()
    for module in network.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            nn.init.normal_(module.weight)
            nn.init.normal_(module.bias)
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
    return network


@pytest.mark.parametrize(("build", "fast"), list(product(NETWORKS, FAST)))
def test_gradients_are_right_alone_and_beside_others(build: type[nn.Module], fast: SpeedOptions | None) -> None:
    network = lively(build)
    reference = copy.deepcopy(network).double()
    backbone = Backbone(Model("net", network, (0.5,), (0.25,), 16, "given"), ["act"], fast=fast)
    pictures = torch.rand(3, 3, 16, 16)
    directions = torch.randn(5, 3, 16, 16, dtype=torch.float64)

    def scores(many: Tensor) -> Tensor:
        with torch.no_grad():
            out: Tensor = reference((many - 0.5) / 0.25).square().flatten(1).sum(1)
        return out

    step = 1e-5
    for chosen in (pictures[:1], pictures[:2], pictures):
        leaf = chosen.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(backbone(leaf)["act"].square().sum(), leaf)
        for at, picture in enumerate(chosen.double()):
            expected = (scores(picture + step * directions) - scores(picture - step * directions)) / (2 * step)
            slopes = (gradient[at].double() * directions).sum((1, 2, 3))
            torch.testing.assert_close(slopes, expected, rtol=1e-3, atol=1e-3 * expected.abs().max().item())


@pytest.mark.parametrize("build", NETWORKS)
def test_values_stay(build: type[nn.Module]) -> None:
    network, x = lively(build), torch.randn(2, 3, 16, 16)
    other = copy.deepcopy(network)
    replace_norms(other, x[:1])
    assert not eval_norms(other) or build is FunctionalTokens
    with torch.no_grad(), BatchNormsAsScales():
        torch.testing.assert_close(other(x), network(x), rtol=1e-4, atol=1e-5)
    with torch.no_grad():
        torch.testing.assert_close(other(x), network(x), rtol=1e-4, atol=1e-5)


class Doubled(nn.BatchNorm2d):
    """A class derived from batch norm that does more."""

    def forward(self, x: Tensor) -> Tensor:
        return 2 * super().forward(x)


def test_what_is_no_scale_and_shift_stays() -> None:
    network = nn.Sequential(Doubled(3), nn.BatchNorm2d(3, track_running_stats=False), nn.BatchNorm2d(3)).eval()
    replace_norms(network, torch.randn(1, 3, 8, 8))
    assert [type(module) for module in network] == [Doubled, nn.BatchNorm2d, ScaleShift]
