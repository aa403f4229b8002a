"""Networks small enough to be run hundreds of times, for model.target=tiny_networks.<name>."""

import torch
from torch import Tensor, nn


class Pair(nn.Module):
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x, x


class Tiny(nn.Module):
    """Strides 2 and 4, then a convolution that needs pictures of 32 px or more."""

    def __init__(self, channels: int = 3) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, 6, 3, stride=2, padding=1)
        self.bn = nn.BatchNorm2d(6)
        self.act = nn.ReLU(inplace=True)
        self.second = nn.Conv2d(6, 20, 3, stride=2, padding=1)
        self.pair = Pair()
        self.last = nn.Conv2d(20, 5, 8)
        self.unused = nn.Conv2d(5, 5, 1)

    def forward(self, x: Tensor) -> Tensor:
        x, _ = self.pair(self.second(self.act(self.bn(self.first(x)))))
        return self.last(x)


class NotANumber(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x[:, :1], (-1 - x[:, 1:2].square()).log(), x[:, 2:]], dim=1)


class Breaks(nn.Sequential):
    """Filter 1 of its second layer is not a number; the others are."""

    def __init__(self) -> None:
        super().__init__(nn.Conv2d(3, 4, 3, stride=2, padding=1), NotANumber())


class Wide(Tiny):
    """As Tiny, but for the number of filters in ``second``."""

    def __init__(self) -> None:
        super().__init__()
        self.second = nn.Conv2d(6, 24, 3, stride=2, padding=1)
        self.last = nn.Conv2d(24, 5, 8)
