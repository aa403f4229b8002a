"""How many channels a network takes is tried, not read off the convolution that is registered first."""

import pytest
import timm
import torch
from refusals import assert_refused
from torch import Tensor, nn

from featviz.models.model import Model
from featviz.models.sources import own
from featviz.models.tracing import trace


class HeadFirst(nn.Module):
    def __init__(self, channels: int = 3) -> None:
        super().__init__()
        self.head, self.stem = nn.Conv2d(16, 4, 1), nn.Conv2d(channels, 16, 3)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.head(self.stem(x))
        return out


class Repeats(HeadFirst):
    """Takes gray pictures, and shows them to a network for three channels."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.repeat(1, 3, 1, 1))


class Coordinates(HeadFirst):
    def __init__(self) -> None:
        super().__init__(channels=5)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(torch.cat([x, torch.zeros_like(x[:, :2])], 1))


class SpaceToDepth(HeadFirst):
    def __init__(self) -> None:
        super().__init__(channels=48)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(nn.functional.pixel_unshuffle(x, 4))


def linear() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(32 * 32, 5))


CASES = [(HeadFirst, 3), (lambda: HeadFirst(1), 1), (Repeats, 1), (Coordinates, 3),
         (SpaceToDepth, 3), (linear, 1), (lambda: nn.Conv2d(12, 4, 3), 12)]  # fmt: skip


@pytest.mark.parametrize(("build", "channels"), CASES)
def test_what_a_network_takes(build: type[nn.Module], channels: int) -> None:
    model = Model("net", build(), (0.5,), (1.0,), 32, "random")
    assert (model.in_channels, model.mean) == (channels, (0.5,) * channels)
    assert own.from_module(build(), size=32).in_channels == channels
    trace(model)


def test_an_unusual_number_can_be_said() -> None:
    assert_refused(lambda: trace(Model("net", HeadFirst(2), (0.5,), (1.0,), 32, "random")), "model", "net", "")
    assert Model("net", HeadFirst(2), (0.5,), (1.0,), 32, "random", in_channels=2).mean == (0.5, 0.5)
    assert Model("net", HeadFirst(2), (0.5, 0.4), (1.0,), 32, "random").in_channels == 2


def test_tresnet() -> None:
    assert own.from_module(timm.create_model("tresnet_m")).in_channels == 3
