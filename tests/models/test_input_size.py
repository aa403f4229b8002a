"""The side of a network's pictures, found by trying."""

import pytest
import torch
from small_networks import CifarResNet, DigitNetwork
from torch import Tensor, nn

from featviz.models.input_size import find_size
from featviz.models.sources.own import from_module


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


def test_only_the_channels_that_are_told_are_tried() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, 10))
    assert find_size(network, [12]) == 16  # 12 x 16 x 16 are as many numbers


def test_a_network_gets_its_size_and_its_channels_from_what_it_takes() -> None:
    model = from_module(DigitNetwork())
    assert (model.in_channels, model.size, model.describe_input()) == (1, 28, "1 x 28 x 28, mean 0, std 1")
    assert from_module(CifarResNet(), size=32).size == 32
