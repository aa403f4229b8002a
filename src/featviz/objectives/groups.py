"""A group of neighboring positions, with a weight for each channel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from typing_extensions import override

from featviz.errors import FeatvizError
from featviz.filters import FilterSpec
from featviz.models.layers import Layer
from featviz.objectives.base import Objective, per_picture
from featviz.objectives.positions import Position, check_ordered, check_position
from featviz.objectives.vectors import Vectors, check_length, check_numbers, check_vectors, read_vectors, vector_numbers

if TYPE_CHECKING:
    from featviz.models.backbone import Backbone
    from featviz.models.model import Model


@dataclass(eq=False)
class LocalGroup(Objective):
    """The mean over a window of positions, and over channels, each times its weight: a picture for each vector.

    ``localgroup_weight`` in greentfrapp/lucent. ``vectors`` are the weights, one for each channel (see
    ``read_vectors``); null weighs all alike, for one picture. The window has ``window`` [rows, columns] and begins at
    ``position`` [row, column]; null puts it in the middle.
    """

    layer: str
    filters: Sequence[int]
    vectors: Vectors | None = None
    position: Position | None = None
    window: Sequence[int] = (1, 1)
    _weights: Tensor | None = field(init=False, repr=False)

    own_units = True

    def __post_init__(self) -> None:
        """Read the vectors; refuse what is no window."""
        check_position(self.position)
        sides = list(self.window) if isinstance(self.window, list | tuple) else []
        if len(sides) != 2 or not all(type(side) is int and side >= 1 for side in sides):
            raise FeatvizError(setting="objective.window", got=self.window, expected="[rows, columns], 1 or more each")
        check_vectors(self.vectors)
        self._weights = None if self.vectors is None else read_vectors(self.vectors)
        if self._weights is not None:
            check_numbers(self._weights, self.filters)

    @property
    @override
    def layers(self) -> tuple[str, ...]:
        return (self.layer,)

    @classmethod
    @override
    def units(cls, spec: FilterSpec, layer: Layer, model: Model, seed: int, **settings: Any) -> list[int]:
        return [0] if settings.get("vectors") is None else vector_numbers(settings["vectors"], layer)

    @override
    def prepare(self, backbone: Backbone) -> None:
        check_ordered(backbone, self.layer)
        layer = backbone.layers[self.layer]
        if self._weights is not None:
            check_length(self._weights, layer.name, layer.channels or 0)

    @override
    def check(self, maps: Mapping[str, Tensor]) -> None:
        self._windowed(maps[self.layer])

    @override
    def __call__(self, maps: Mapping[str, Tensor]) -> Tensor:
        means = self._windowed(maps[self.layer]).float().mean((2, 3))
        if self._weights is None:
            return means.mean(1)
        self._weights = self._weights.to(means.device)
        rows = self._weights if len(self._weights) == 1 else self._weights[per_picture(self.filters, means)]
        return (means * rows).mean(1)

    def _windowed(self, maps: Tensor) -> Tensor:
        """The window of feature maps (N, filters, h, w); FeatvizError where it does not lie inside."""
        sides = torch.Size(self.window)
        if self.position is None:
            row, column = ((whole - side + 1) // 2 for whole, side in zip(maps.shape[2:], sides, strict=True))
        else:
            row, column = self.position
        if min(row, column) < 0 or row + sides[0] > maps.shape[2] or column + sides[1] > maps.shape[3]:
            raise FeatvizError(
                f"objective.window {list(sides)} at {[row, column]} is not inside the feature map: {self.layer} has "
                f"{maps.shape[2]} x {maps.shape[3]} positions for the run's smallest pictures",
                setting="objective.window",
                got=list(self.window),
            )
        return maps[:, :, row : row + sides[0], column : column + sides[1]]

    @override
    def __str__(self) -> str:
        return f"localgroup_weight({self.layer})"
