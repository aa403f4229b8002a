"""Where the filters are in what a layer returns: (N, C, H, W), (N, H, W, C), (N, tokens, C), (tokens, N, C), (N, C)."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

from torch import Tensor, nn

MOST_PREFIX_TOKENS = 16  # class, distillation and register tokens that stand before the patches'


@dataclass(frozen=True)
class Layout:
    """Which axis of an output holds the filters, and how many tokens before the patches belong to no place.

    Where positions are not ``ordered``, as those of windows or of tokens that were mixed, a feature map has its values
    but not its geometry: means are right, and rows and columns mean nothing. ``batch_axis`` is that of the pictures: 1
    in (tokens, N, C), which is how torch's attention has it unless it is told ``batch_first``.
    """

    channel_axis: int
    prefix_tokens: int = 0
    ordered: bool = True
    batch_axis: int = 0

    def feature_maps(self, output: Tensor, height: int, width: int) -> Tensor:
        """Bring an output into the shape (N, C, h, w); ``height`` and ``width`` are the network's input's, in px."""
        maps = self.by_filter(output)
        if maps.ndim == 2:
            return maps[:, :, None, None]
        if maps.ndim == 3:
            return _as_grid(maps[:, :, self.prefix_tokens :], height, width)
        return maps

    def by_filter(self, output: Tensor) -> Tensor:
        """An output as (N, C, ...), with all its tokens."""
        return output.movedim((self.batch_axis, self.channel_axis), (0, 1))

    def first_pictures(self, output: Tensor, count: int) -> Tensor:
        """What belongs to the first pictures of a batch, in the shape that the layer returns."""
        if output.shape[self.batch_axis] == count:
            return output
        return output[:, :count] if self.batch_axis else output[:count]


def _as_grid(tokens: Tensor, height: int, width: int) -> Tensor:
    """(N, C, tokens) as (N, C, h, w) with the input's proportions; one row where they do not fit."""
    count = tokens.shape[2]
    rows = round(math.sqrt(count * height / width))
    if rows == 0 or count % rows:
        rows = 1
    return tokens.reshape(*tokens.shape[:2], rows, count // rows)


def find_layout(
    square: tuple[int, ...],
    wide: tuple[int, ...] | None,
    grids: Iterable[tuple[int, int]],
    module: nn.Module | None = None,
    before: Layout | None = None,
    channels: int | None = None,
) -> Layout | None:
    """Find the filters' axis of a layer.

    The module's kind decides, then the shapes of its outputs: an axis that grows with the input's width is not the
    filters'. Where neither does, the layout is that of the layer before it.

    Args:
        square: the shape for a square input.
        wide: that for one that is wider; None where the network refuses it.
        grids: heights and widths of the feature maps before this layer.
        module: the layer itself.
        before: the layout of the last layer before it with the same shapes.
        channels: the number of filters of the last layer before it.

    Returns:
        None for shapes that hold no filters.
    """
    if not 2 <= len(square) <= 4:
        return None
    axis = None if module is None else _axis_of_kind(module, square)
    if len(square) == 2:
        return Layout(1)
    if len(square) == 3:
        if axis is None and before is not None:
            return before
        return _token_layout(square, wide, grids, axis)
    if axis is None:
        axis = _axis_by_width(square, wide)
    if axis is None and before is not None:
        return before
    axis = axis or _axis_by_sides(square, channels)
    sides = [side for at, side in enumerate(square) if at not in (0, axis)]
    return Layout(axis, ordered=axis == 1 or sides[0] == sides[1])  # windows are not square


def find_tokens_first_layout(
    square: tuple[int, ...],
    wide: tuple[int, ...] | None,
    grids: Iterable[tuple[int, int]],
    module: nn.Module | None = None,
    before: Layout | None = None,
    channels: int | None = None,
) -> Layout | None:
    """Find the filters' axis of a layer whose output is (tokens, N, C); arguments are those of :func:`find_layout`."""
    wider = None if wide is None else (wide[1], wide[0], wide[2])
    found = find_layout((square[1], square[0], square[2]), wider, grids, module, before and _turned(before), channels)
    return found and _turned(found)


def _turned(layout: Layout) -> Layout:
    """The layout of an output with its first two axes exchanged."""
    return replace(layout, channel_axis=(1, 0, 2)[layout.channel_axis], batch_axis=1 - layout.batch_axis)


_CHANNELS_FIRST = (nn.modules.conv._ConvNd, nn.modules.batchnorm._NormBase, nn.GroupNorm)
_CHANNELS_LAST = (nn.Linear, nn.Embedding, nn.MultiheadAttention)


def _axis_of_kind(module: nn.Module, shape: tuple[int, ...]) -> int | None:
    """The filters' axis of a module whose kind says it: that of convolutions and linear layers, and of norms."""
    last = len(shape) - 1
    if isinstance(module, _CHANNELS_FIRST):
        return 1
    if isinstance(module, _CHANNELS_LAST):
        return last
    if not isinstance(module, nn.LayerNorm | nn.RMSNorm) or len(module.normalized_shape) != 1:
        return None
    if type(module).forward in (nn.LayerNorm.forward, nn.RMSNorm.forward):
        return last
    axes = [axis for axis in (1, last) if shape[axis] == module.normalized_shape[0]]
    return axes[0] if len(axes) == 1 else None  # a derived class may normalize over axis 1


def _axis_by_width(square: tuple[int, ...], wide: tuple[int, ...] | None) -> int | None:
    """The filters' axis of (N, C, H, W) or (N, H, W, C), where the wider input tells them apart."""
    if wide is None or wide == square or len(wide) != 4:
        return None
    if wide[3] != square[3]:
        return 1
    return 3 if wide[2] != square[2] else None


def _axis_by_sides(square: tuple[int, ...], channels: int | None) -> int:
    """The filters' axis of a layer for a square input: the one that leaves a square, or is as long as before."""
    if square[1] == square[2] != square[3]:
        return 3
    is_window = square[2] != square[3] and square[3] == channels != square[1]
    return 3 if is_window else 1


def _token_layout(
    square: tuple[int, ...], wide: tuple[int, ...] | None, grids: Iterable[tuple[int, int]], channel_axis: int | None
) -> Layout:
    counts = sorted({height * width for height, width in grids if height * width > 1}, reverse=True)
    token_axis = 2 if wide is not None and wide[2] != square[2] else 1
    axes: tuple[int, ...] = (token_axis,) if wide is not None and wide != square else (1, 2)
    if channel_axis is not None:
        token_axis = 3 - channel_axis
        axes = (token_axis,)
    for axis in axes:
        for count in counts:
            if 0 <= square[axis] - count <= MOST_PREFIX_TOKENS:
                return Layout(3 - axis, square[axis] - count)
    return Layout(3 - token_axis)
