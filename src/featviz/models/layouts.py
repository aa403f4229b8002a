"""Where the filters are in what a layer returns: (N, C, H, W), (N, H, W, C), (N, tokens, C), (tokens, N, C), (N, C).

Networks of films return (N, C, T, H, W) or (N, T, H, W, C) as well.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

from torch import Tensor, nn

from featviz.shapes import Shape

SQUARE = Shape((1, 1))
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

    def feature_maps(self, output: Tensor, shape: Shape) -> Tensor:
        """Bring an output into (N, C, h, w), or (N, C, t, h, w) of films; ``shape`` is that of the network's input."""
        maps = self.by_filter(output)
        if maps.ndim == 3:
            maps = _as_grid(maps[:, :, self.prefix_tokens :], shape)
        missing = 2 + len(shape) - maps.ndim
        return maps if missing <= 0 else maps.view(*maps.shape[:2], *[1] * missing, *maps.shape[2:])

    def by_filter(self, output: Tensor) -> Tensor:
        """An output as (N, C, ...), with all its tokens."""
        return output.movedim((self.batch_axis, self.channel_axis), (0, 1))

    def first_pictures(self, output: Tensor, count: int) -> Tensor:
        """What belongs to the first pictures of a batch, in the shape that the layer returns."""
        if output.shape[self.batch_axis] == count:
            return output
        return output[:, :count] if self.batch_axis else output[:count]


def _as_grid(tokens: Tensor, shape: Shape) -> Tensor:
    """(N, C, tokens) as (N, C, h, w) with the input's proportions; one row where they do not fit, and of films."""
    count, (height, width) = tokens.shape[2], shape.frame
    rows = round(math.sqrt(count * height / width))
    if rows == 0 or count % rows or shape.is_film:
        rows = 1
    return tokens.reshape(*tokens.shape[:2], rows, count // rows)


def find_layout(
    square: tuple[int, ...],
    wide: tuple[int, ...] | None,
    grids: Iterable[tuple[int, int]],
    module: nn.Module | None = None,
    before: Layout | None = None,
    channels: int | None = None,
    picture: Shape = SQUARE,
) -> Layout | None:
    """Find the filters' axis of a layer.

    The module's kind decides, then the shapes of its outputs: an axis that grows with the input's width is not the
    filters'. Where neither does, the layout is that of the layer before it.

    Args:
        square: the shape for an input of the network's own size, most often a square.
        wide: that for one that is wider; None where the network refuses it.
        grids: heights and widths of the feature maps before this layer.
        module: the layer itself.
        before: the layout of the last layer before it with the same shapes.
        channels: the number of filters of the last layer before it.
        picture: height and width of the input, behind the frames of a film.

    Returns:
        None for shapes that hold no filters.
    """
    if not 2 <= len(square) <= 2 + len(picture):
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
    axis = axis or _axis_by_sides(square, channels, picture)
    rows, columns = [side for at, side in enumerate(square) if at not in (0, axis)][-2:]
    return Layout(axis, ordered=axis == 1 or has_proportions(rows, columns, picture))  # windows have others


def has_proportions(rows: int, columns: int, picture: Shape) -> bool:
    """Whether so many rows and columns are those of a whole picture: a square's are as many, others' nearly so."""
    height, width = picture.frame
    return abs(rows * width - columns * height) < max(height, width)


def find_tokens_first_layout(
    square: tuple[int, ...],
    wide: tuple[int, ...] | None,
    grids: Iterable[tuple[int, int]],
    module: nn.Module | None = None,
    before: Layout | None = None,
    channels: int | None = None,
    picture: Shape = SQUARE,
) -> Layout | None:
    """Find the filters' axis of a layer whose output is (tokens, N, C); arguments are those of :func:`find_layout`."""
    wider = None if wide is None else (wide[1], wide[0], wide[2])
    found = find_layout(
        (square[1], square[0], square[2]), wider, grids, module, before and _turned(before), channels, picture
    )
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
    if wide is None or wide == square or len(wide) != len(square):
        return None
    if wide[-1] != square[-1]:
        return 1
    return len(square) - 1 if wide[-2] != square[-2] else None


def _axis_by_sides(square: tuple[int, ...], channels: int | None, picture: Shape) -> int:
    """The filters' axis of a layer: the one that leaves the input's proportions, or is as long as before."""
    *_, rows, columns, last = square
    if has_proportions(columns, last, picture):
        return 1
    if has_proportions(rows, columns, picture):
        return len(square) - 1
    return len(square) - 1 if last == channels != square[1] else 1


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
