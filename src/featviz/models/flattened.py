"""The sizes that fit a network which flattens its feature maps: its linear layer tells how many positions there are."""

from __future__ import annotations

from math import log
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from featviz.models.hooks import device_of
from featviz.models.input_channels import takes
from featviz.shapes import Shape

SIDES = (224, 224 + 64)  # px, for which feature maps are compared: multiples of all common strides
LONGEST = 8  # times the shorter side
MOST_TRIED = 24


class _Flattened(NamedTuple):
    """Feature maps (channels, side, side) of a square, and how many numbers a linear layer takes of them."""

    channels: int
    side: int
    wanted: int


def flattened_sizes(network: nn.Module, channels: int) -> list[Shape]:
    """Heights and widths that a network takes which flattens feature maps for a linear layer, nearly squares first.

    Empty where it does nothing of the kind.
    """
    small, large = (_flattened(network, channels, side) for side in SIDES)
    if small is None or large is None or large.side <= small.side or small.wanted % small.channels:
        return []
    stride = (SIDES[1] - SIDES[0]) / (large.side - small.side)
    positions = small.wanted // small.channels
    pairs = [(rows, positions // rows) for rows in range(1, positions + 1) if positions % rows == 0]
    pairs = [pair for pair in pairs if max(pair) <= LONGEST * min(pair)]
    pairs.sort(key=lambda pair: (abs(log(pair[0] / pair[1])), pair))
    sides = [[round(SIDES[0] + (count - small.side) * stride) for count in pair] for pair in pairs[:MOST_TRIED]]
    shapes = [Shape(each) for each in sides if min(each) > 0]
    return [shape for shape in shapes if takes(network, channels, shape)]


class _Found(Exception):
    """Ends a pass."""


def _flattened(network: nn.Module, channels: int, side: int) -> _Flattened | None:
    """What is flattened of a square; None where no linear layer refuses it."""
    maps: list[tuple[int, ...]] = []
    found: list[_Flattened] = []

    def before(module: nn.Module, inputs: tuple[Any, ...]) -> None:
        if isinstance(module, nn.Linear) and inputs and isinstance(inputs[0], Tensor):
            given = inputs[0].shape[-1]
            if given != module.in_features:
                found.extend(_Flattened(s[1], s[2], module.in_features) for s in maps if given == s[1] * s[2] * s[3])
                raise _Found

    def after(_module: nn.Module, _inputs: Any, output: Any) -> None:
        if isinstance(output, Tensor) and output.ndim == 4 and output.shape[2] == output.shape[3]:
            maps.append(tuple(output.shape))

    handles = [each.register_forward_pre_hook(before) for each in network.modules()]
    handles += [each.register_forward_hook(after) for each in network.modules()]
    try:
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            network(torch.zeros(1, channels, side, side, device=device_of(network)))
    except Exception:  # _Found, or of any other kind: the network refuses such pictures
        pass
    finally:
        for handle in handles:
            handle.remove()
    return found[-1] if found else None
