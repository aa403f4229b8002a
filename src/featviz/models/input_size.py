"""The side of the pictures that a network takes, where nobody tells it and the network does not say."""

from __future__ import annotations

from collections.abc import Iterable

from torch import nn

from featviz.models.input_channels import COMMON, first_channels, takes

#: px, the most common side of networks that take any, then those of others: the first that a pass takes is used
SIZES = (224, 32, 28, 64, 96, 128, 160, 192, 256, 299, 384, 448, 512, 48, 16, 8)


def find_size(network: nn.Module, channels: Iterable[int] = ()) -> int:
    """The first of the common sides whose pictures a network takes; 224 px, most networks' side, where there is none.

    A network that ends in ``flatten`` and a linear layer, or adds a table of positions, takes one side only.
    ``channels`` are those that its pictures may have; without them, as many as networks commonly take.
    """
    numbers = list(channels) or list(dict.fromkeys([*first_channels(network), *COMMON]))
    for size in SIZES:
        if any(takes(network, number, size) for number in numbers):
            return size
    return SIZES[0]


def fitting_sizes(network: nn.Module, channels: int, near: int, most: int = 3) -> list[int]:
    """Of the common sides that a network takes, those nearest to one that it does not take, in order."""
    found = list[int]()
    for size in sorted(SIZES, key=lambda side: abs(side - near)):
        if len(found) < most and takes(network, channels, size):
            found.append(size)
    return sorted(found)
