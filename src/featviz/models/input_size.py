"""The size of the pictures that a network takes, where nobody tells it and the network does not say."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from torch import nn

from featviz.models.flattened import flattened_sizes
from featviz.models.input_channels import COMMON, first_channels, takes
from featviz.models.network_checks import first_convolution
from featviz.shapes import Shape, Size

log = logging.getLogger(__name__)

#: px, the most common side of networks that take any, then those of others: the first that a pass takes is used
SIZES = (224, 32, 28, 64, 96, 128, 160, 192, 256, 299, 384, 448, 512, 48, 16, 8)

#: Height and width of networks that take one size which is no square: recordings of neurons, cameras, films.
OBLONG = (
    (36, 64),
    (18, 32),
    (72, 128),
    (66, 200),
    (120, 160),
    (240, 320),
    (480, 640),
    (144, 256),
    (360, 640),
    (256, 128),
)

#: Frames, height and width, the most common of networks for films first.
FILMS = ((16, 112, 112), (8, 224, 224), (16, 224, 224), (16, 64, 64), (8, 32, 32), (40, 36, 64), (50, 18, 16))


def find_size(network: nn.Module, channels: Iterable[int] = ()) -> Size:
    """The first of the common sizes whose pictures a network takes; where there is none, the most common of all.

    A network that ends in ``flatten`` and a linear layer, or adds a table of positions, takes one size only.
    ``channels`` are those that its pictures may have; without them, as many as networks commonly take. Where several
    shapes fit what a network flattens, the log tells which is taken.
    """
    numbers = list(channels) or list(dict.fromkeys([*first_channels(network), *COMMON]))
    found = first_convolution(network)
    if found and isinstance(found[1], nn.Conv3d):
        return next((size for size in FILMS if any(takes(network, number, size) for number in numbers)), FILMS[0])
    for size in (*SIZES, *OBLONG):
        fitting = [number for number in numbers if takes(network, number, size)]
        if fitting:
            if size != SIZES[0]:
                _tell_others(size, flattened_sizes(network, fitting[0]))
            return size
    others = [shape for number in numbers for shape in flattened_sizes(network, number)]
    if not others:
        return SIZES[0]
    _tell_others(others[0].size, others)
    return others[0].size


def _tell_others(size: Size, shapes: Iterable[Shape]) -> None:
    others = [str(shape) for shape in shapes if shape != Shape.of(size)]
    if others:
        log.warning(
            "the network takes pictures of %s px, and as well of %s: model.size says which it was trained on",
            *(Shape.of(size), ", ".join(others[:4])),
        )


def fitting_sizes(network: nn.Module, channels: int, near: Shape, most: int = 3) -> list[Shape]:
    """Of the common sizes that a network takes, those nearest to one that it does not take, in order."""
    found = list[Shape]()
    common = FILMS if near.is_film else SIZES if near.is_square else (*OBLONG, *SIZES)
    for shape in sorted((Shape.of(size) for size in common), key=lambda shape: abs(shape.side - near.side)):
        if len(found) < most and takes(network, channels, shape):
            found.append(shape)
    return sorted(found, key=lambda shape: shape.side)
