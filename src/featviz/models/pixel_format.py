"""Networks that take colors in another order or range than RGB from 0 to 1, as Caffe's do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import nn

from featviz.errors import FeatvizError, above_zero, one_of

ORDERS = ("rgb", "bgr")


def check_order_and_scale(channel_order: str, scale: float) -> None:
    """Raise FeatvizError for an order or a largest value that no pictures have."""
    one_of("model.channel_order", channel_order, ORDERS)
    above_zero("model.scale", scale)


def check_pixel_format(channel_order: str, scale: float, channels: int) -> None:
    """Raise FeatvizError for an order or a range that pictures of so many channels cannot have."""
    check_order_and_scale(channel_order, scale)
    if channel_order == "bgr" and channels != 3:
        what = f"model.channel_order is bgr, but the network takes {channels} channels"
        raise FeatvizError(what, setting="model.channel_order", got=channel_order, expected="rgb, the pictures' own")


def for_unit_rgb(values: Sequence[float], channel_order: str, scale: float) -> tuple[float, ...]:
    """Means or deviations of a network's own pictures as they are for RGB in [0, 1]."""
    in_order = values[::-1] if channel_order == "bgr" else values
    return tuple(value / scale for value in in_order)


def take_rgb(network: nn.Module) -> None:
    """Have a network for BGR take RGB: it turns the order around before anything else; its modules keep their names."""
    if _reverse_channels not in network._forward_pre_hooks.values():
        network.register_forward_pre_hook(_reverse_channels)


def _reverse_channels(_network: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    return (inputs[0].flip(1), *inputs[1:])
