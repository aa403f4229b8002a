"""The side of a network's pictures, found by trying."""

from typing import Any

import pytest
import torch
from refusals import assert_refused
from small_networks import CifarResNet, DigitNetwork
from torch import Tensor, nn

from featviz.models.backbone import Backbone
from featviz.models.input_size import find_size
from featviz.models.memory import CPU_IS_FULL
from featviz.models.model import Model
from featviz.models.sources.own import from_module
from featviz.models.tracing import trace


class Positions(nn.Module):
    """Adds a table of positions to its tokens."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 8, 8)
        self.positions = nn.Parameter(torch.zeros(1, 8, size // 8, size // 8))

    def forward(self, x: Tensor) -> Tensor:
        return self.stem(x) + self.positions


class Checked(Positions):
    """Refuses other sizes before its first convolution."""

    def forward(self, x: Tensor) -> Tensor:
        assert x.shape[2] == 8 * self.positions.shape[2], "wrong size"
        return super().forward(x)


@pytest.mark.parametrize(
    ("network", "size"),
    [
        (DigitNetwork(), 28),
        (CifarResNet(), 224),
        (Positions(96), 96),
        (Checked(64), 64),
        (nn.Sequential(nn.Flatten(), nn.Linear(784, 10)), 28),
        (nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, 10)), 32),
        (nn.Sequential(nn.Flatten(), nn.Linear(7, 10)), 224),  # none of the common ones
    ],
)
def test_the_first_common_side_that_a_network_takes(network: nn.Module, size: int) -> None:
    assert find_size(network) == size


class Halves(nn.Module):
    """Adds what it has halved and doubled to the picture, as U-Nets do."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.down = nn.Sequential(*(nn.Conv2d(3, 3, 2, 2) for _ in range(times)))
        self.scale = 2**times

    def forward(self, x: Tensor) -> Tensor:
        return x + nn.functional.interpolate(self.down(x), scale_factor=self.scale)


@pytest.mark.parametrize(
    ("network", "size", "right"),
    [
        (DigitNetwork(), 32, "model.size=28"),
        (Positions(96), 224, "model.size=8 or 96"),
        (Checked(64), 60, "model.size=64"),
        (Halves(5), 100, "model.size=64, 96 or 128"),
        (nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(4 * 30 * 30, 10)), 28, "model.size=32"),
    ],
)
def test_a_size_that_does_not_fit_tells_those_that_do(network: nn.Module, size: int, right: str) -> None:
    assert_refused(lambda: trace(from_module(network, size=size)), "model.size", size, right)


@pytest.mark.parametrize(("size", "least"), [(16, 28), (4, 28), (25, 28)])
def test_pictures_that_are_too_small_tell_which_are_not(size: int, least: int) -> None:
    backbone = Backbone(from_module(nn.Sequential(nn.Conv2d(3, 4, 3, 2), nn.Conv2d(4, 5, 13)), size=64), ["1"])
    assert_refused(lambda: backbone.check_size(size), "schedule.size", size, f"{least} px or more")


@pytest.mark.parametrize("error", [RuntimeError(f"[enforce fail] {CPU_IS_FULL}: 120 GB"), MemoryError()])
def test_a_picture_that_memory_does_not_hold_is_not_called_too_small(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    backbone = Backbone(from_module(nn.Sequential(nn.Conv2d(3, 4, 3, 2)), size=64), ["0"])

    def full(*_: Any) -> None:
        raise error

    monkeypatch.setattr(Model, "noise", full)
    assert_refused(lambda: backbone.check_size(10**5), "schedule.size", 10**5, "a smaller size")


def test_only_the_channels_that_are_told_are_tried() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, 10))
    assert find_size(network, [12]) == 16  # 12 x 16 x 16 are as many numbers


def test_a_network_gets_its_size_and_its_channels_from_what_it_takes() -> None:
    model = from_module(DigitNetwork())
    assert (model.in_channels, model.size, model.describe_input()) == (1, 28, "1 x 28 x 28, mean 0, std 1")
    assert from_module(CifarResNet(), size=32).size == 32
