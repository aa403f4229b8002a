"""How many channels the pictures of a network have."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from featviz.models.hooks import device_of, forward_hooks
from featviz.shapes import Shape, Size

COMMON = (3, 1, 4)


class _FirstConvolutionDone(Exception):
    """Ends a pass: the network takes as many channels."""


def find_in_channels(network: nn.Module, size: Size, likely: Iterable[int] = ()) -> int:
    """Channels of the pictures, of ``size`` px, that a network takes: tried, since the stem may change them.

    ``likely`` numbers are tried first, then those of the first convolution and of timm's ``pretrained_cfg``, then 3, 1
    and 4. Where all fail it is the first of these; the network's own error is then shown where its layers are traced.
    """
    convolutions = [module for module in network.modules() if isinstance(module, nn.Conv2d | nn.Conv3d)]
    candidates = [*likely, *first_channels(network), *COMMON]
    for channels in dict.fromkeys(candidates):
        if takes(network, channels, size, convolutions):
            return channels
    return candidates[0]


def first_channels(network: nn.Module) -> list[int]:
    """The channels that a network's first convolution takes, and those that timm says its pictures have."""
    convolution = next((module for module in network.modules() if isinstance(module, nn.Conv2d | nn.Conv3d)), None)
    shape = (getattr(network, "pretrained_cfg", None) or {}).get("input_size", ())
    return [*([convolution.in_channels] if convolution else []), *shape[:1]]


def takes(network: nn.Module, channels: int, size: Size, convolutions: Iterable[nn.Module] = ()) -> bool:
    """Whether a pass comes to the end of the first of the convolutions that is called, or, without them, to its own."""

    def stop(*_: Any) -> None:
        raise _FirstConvolutionDone

    picture = torch.zeros(1, channels, *Shape.of(size), device=device_of(network))
    hooks = forward_hooks((("", module) for module in convolutions), lambda _: stop)
    try:
        with hooks, torch.no_grad(), torch.random.fork_rng(devices=[]):
            network(picture)
    except _FirstConvolutionDone:
        return True
    except Exception:  # of any kind: the network refuses such pictures
        return False
    return True
