"""Positions in feature maps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from torch import Tensor

from featviz.errors import FeatvizError

if TYPE_CHECKING:
    from featviz.models.backbone import Backbone

Position = Sequence[int]


def check_position(position: Position | None) -> None:
    """Raise FeatvizError for what is neither null nor a row and a column."""
    if position is None:
        return
    pair = list(position) if isinstance(position, list | tuple) else []
    whole = [part for part in pair if isinstance(part, int) and not isinstance(part, bool) and part >= 0]
    if len(pair) != 2 or whole != pair:
        raise FeatvizError(setting="objective.position", got=position, expected="[row, column], or null for the center")


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


def resolve_position(position: Position | None, maps: Tensor, layer: str) -> tuple[int, int]:
    """Row and column of a position in feature maps (N, filters, h, w), the center for None.

    Raises:
        FeatvizError: it is outside.
    """
    height, width = maps.shape[2:]
    if position is None:
        return height // 2, width // 2
    row, column = position
    if row >= height or column >= width:
        raise FeatvizError(
            f"objective.position {[row, column]} is outside the feature map: {layer} has {height} x {width} positions "
            f"for the run's smallest pictures, [0, 0] to {[height - 1, width - 1]}"
        )
    return row, column
