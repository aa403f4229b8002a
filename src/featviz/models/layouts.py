"""Where the filters are in what a layer hands out: (N, C, H, W), (N, H, W, C), (N, tokens, C) or (N, C)."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from torch import Tensor

MOST_PREFIX_TOKENS = 16  # class, distillation and register tokens that stand before the patches'


@dataclass(frozen=True)
class Layout:
    """Which axis of an output holds the filters, and how many tokens before the patches belong to no place."""

    channel_axis: int
    prefix_tokens: int = 0

    def feature_maps(self, output: Tensor, height: int, width: int) -> Tensor:
        """Bring an output into the shape (N, C, h, w); ``height`` and ``width`` are the network's input's, in px."""
        maps = output.movedim(self.channel_axis, 1)
        if maps.ndim == 2:
            return maps[:, :, None, None]
        if maps.ndim == 3:
            return _as_grid(maps[:, :, self.prefix_tokens :], height, width)
        return maps


def _as_grid(tokens: Tensor, height: int, width: int) -> Tensor:
    """(N, C, tokens) as (N, C, h, w) with the input's proportions; one row where they do not fit."""
    count = tokens.shape[2]
    rows = round(math.sqrt(count * height / width))
    if rows == 0 or count % rows:
        rows = 1
    return tokens.reshape(*tokens.shape[:2], rows, count // rows)


def find_layout(
    square: tuple[int, ...], wide: tuple[int, ...] | None, grids: Iterable[tuple[int, int]]
) -> Layout | None:
    """Find the filters' axis of a layer from the shapes of its output.

    ``square`` is the shape for a square input, ``wide`` for one that is wider (None where the network refuses it),
    ``grids`` are heights and widths of the feature maps before this layer. An axis that grows with the input's
    width is not the filters'. Returns None for shapes that hold no filters.
    """
    if len(square) == 2:
        return Layout(1)
    if len(square) == 4:
        return Layout(3 if _channels_last(square, wide) else 1)
    if len(square) == 3:
        return _token_layout(square, wide, grids)
    return None


def _channels_last(square: tuple[int, ...], wide: tuple[int, ...] | None) -> bool:
    if wide is not None and wide != square:
        return wide[2] != square[2] and wide[3] == square[3]
    return square[1] == square[2] != square[3]


def _token_layout(square: tuple[int, ...], wide: tuple[int, ...] | None, grids: Iterable[tuple[int, int]]) -> Layout:
    counts = sorted({height * width for height, width in grids if height * width > 1}, reverse=True)
    token_axis = 2 if wide is not None and wide[2] != square[2] else 1
    axes = (token_axis,) if wide is not None and wide != square else (1, 2)
    for axis in axes:
        for count in counts:
            if 0 <= square[axis] - count <= MOST_PREFIX_TOKENS:
                return Layout(3 - axis, square[axis] - count)
    return Layout(3 - token_axis)
