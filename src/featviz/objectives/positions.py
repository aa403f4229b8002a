"""Positions in feature maps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from torch import Tensor

from featviz.errors import FeatvizError
from featviz.shapes import Shape

if TYPE_CHECKING:
    from featviz.models.backbone import Backbone

Position = Sequence[int]


def check_position(position: Position | None) -> None:
    """Raise FeatvizError for what is neither null nor a row and a column, behind the frame of films."""
    if position is None:
        return
    place = list(position) if isinstance(position, list | tuple) else []
    whole = [part for part in place if isinstance(part, int) and not isinstance(part, bool) and part >= 0]
    if len(place) not in (2, 3) or whole != place:
        expected = "[row, column] (of films [frame, row, column]), or null for the center"
        raise FeatvizError(setting="objective.position", got=position, expected=expected)


def check_ordered(backbone: Backbone, name: str) -> None:
    """Raise FeatvizError for a layer whose positions do not stand as in the picture."""
    layer = backbone.layers[name]
    if layer.layout and not layer.layout.ordered:
        raise FeatvizError(
            f"layer '{name}': its positions do not stand as in the picture (windows, or tokens in another order), so "
            "there is no row and column to choose",
            setting="layer",
            got=name,
            expected="objective=channel, or another layer",
        )


def resolve_position(position: Position | None, maps: Tensor, layer: str) -> tuple[int, ...]:
    """Row and column of a position in feature maps (N, filters, h, w), or its frame too; the center for None.

    Raises:
        FeatvizError: it is outside, or has another number of axes.
    """
    sides = Shape(maps.shape[2:])
    if position is None:
        return tuple(side // 2 for side in sides)
    if len(position) != len(sides):
        axes = "[frame, row, column]" if sides.is_film else "[row, column]"
        raise FeatvizError(setting="objective.position", got=list(position), expected=f"{axes}, or null for the center")
    if any(at >= side for at, side in zip(position, sides, strict=True)):
        raise FeatvizError(
            f"objective.position {list(position)} is outside the feature map: {layer} has {sides.each()} positions "
            f"for the run's smallest pictures, {[0] * len(sides)} to {[side - 1 for side in sides]}"
        )
    return tuple(position)
