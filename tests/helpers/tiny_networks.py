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


class Stages(nn.Module):
    """As large networks in short: modules at strides 4, 8, 16 and 32, and ten classes."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = _halving(3, 8)
        self.layer1, self.layer2, self.layer3, self.layer4 = (_halving(8, 8) for _ in range(4))
        self.fc = nn.Linear(8, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.layer4(self.layer3(self.layer2(self.layer1(self.stem(x)))))
        return self.fc(x.mean((2, 3)))


def _halving(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, 2, 1), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True))


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


class Small(nn.Module):
    """A network on a device that holds three pictures."""

    holds = 3
    word = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        if len(x) > self.holds:
            raise self.word
        maps: Tensor = self.first(x)
        return maps


class SmallHost(Small):
    """The same on the host, in the words of torch's allocator."""

    word = RuntimeError(
        "[enforce fail at alloc_cpu.cpp:117] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to "
        "allocate 68719476736 bytes. Error code 12 (Cannot allocate memory)"
    )


class NoRoom(Small):
    """Not even one fits, but for the check before any work, which has no gradient."""

    def forward(self, x: Tensor) -> Tensor:
        if x.requires_grad:
            raise self.word
        return self.first(x)


class Broad(nn.Module):
    """26 filters."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.bn = nn.Conv2d(3, 26, 3, stride=4), nn.BatchNorm2d(26)

    def forward(self, x: Tensor) -> Tensor:
        return self.bn(self.conv(x))


# the filters of Units
ALIVE, NEVER, SATURATED, SHUT, GATED = range(5)


class Units(nn.Module):
    """Filters behind a ReLU6, with numbers as above.

    SHUT lets the start nowhere through, but can be opened; GATED answers to pictures with a dark corner only, and no
    gradient says so.
    """

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 5, 3)
        self.act = nn.ReLU6(inplace=True)
        with torch.no_grad():
            self.conv.weight.copy_(torch.randn(5, 3, 3, 3, generator=torch.Generator().manual_seed(3)) / 4)
            self.conv.weight[[NEVER, SATURATED]] = 0
            self.conv.bias.copy_(torch.tensor([0.2, -1.0, 7.0, -0.9, 0.0]))

    def forward(self, x: Tensor) -> Tensor:
        before = self.conv(x)
        gate = (x[:, 0, 0, 0] < 0.5).float().view(-1, 1, 1)
        parts = list(before.unbind(1))
        parts[GATED] = (parts[GATED].square() + 1) * gate
        return self.act(torch.stack(parts, 1))
