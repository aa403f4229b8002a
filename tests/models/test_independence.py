"""Networks whose pictures depend on each other, or change from pass to pass, are told by the module."""

import logging

import pytest
import torch
import torchvision
from torch import Tensor, nn
from torch.nn import functional as F

import featviz
from featviz.models.independence import find_dependence
from featviz.models.model import Model


class Small(nn.Module):
    def __init__(self, **settings: bool) -> None:
        super().__init__()
        self.conv, self.bn, self.out = nn.Conv2d(3, 8, 3, 2), nn.BatchNorm2d(8, **settings), nn.Conv2d(8, 4, 3)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.out(self.bn(self.conv(x)).relu())
        return out


class AlwaysDrops(Small):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(F.dropout(x, 0.5))


class MixesTheBatch(Small):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x - x.mean(0, keepdim=True))


CASES = {
    "'bn' (BatchNorm2d) returns for a picture depends on": lambda: Small(track_running_stats=False),
    "'conv' (Conv2d) returns for a picture changes from pass to pass": AlwaysDrops,
    "'conv' (Conv2d) returns for a picture depends on": MixesTheBatch,
}


@pytest.mark.parametrize("words", CASES)
def test_dependence_is_told(words: str) -> None:
    torch.manual_seed(0)
    assert words in find_dependence(Model("net", CASES[words](), (0.5,), (0.25,), 32, "random"))


@pytest.mark.parametrize("build", [Small, torchvision.models.resnet18, torchvision.models.swin_t])
def test_independent_networks_are_quiet(build: type[nn.Module]) -> None:
    torch.manual_seed(0)
    assert find_dependence(Model("net", build(), (0.5,), (0.25,), 64, "random")) == ""


def test_a_run_warns(caplog: pytest.LogCaptureFixture) -> None:
    torch.manual_seed(0)
    model = Model("net", Small(track_running_stats=False), (0.5,), (0.25,), 32, "random")
    overrides = ["schedule=constant", "schedule.steps=1", "schedule.size=32", "transforms=none"]
    with caplog.at_level(logging.WARNING, "featviz"):
        featviz.visualize(model, layer="out", filters=[0], overrides=overrides)
    assert "net: what 'bn' (BatchNorm2d) returns for a picture depends on the other pictures of a batch" in caplog.text
