"""Objectives of a vector in a layer's channel space, of which a single filter is the simplest."""

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
from featviz.objectives.positions import Position, check_ordered, check_position, resolve_position
from featviz.objectives.vectors import (
    Vectors,
    VectorsByLayer,
    check_length,
    check_numbers,
    check_vectors,
    read_vectors,
    vector_numbers,
    vectors_of,
)

if TYPE_CHECKING:
    from featviz.models.backbone import Backbone
    from featviz.models.model import Model

FLOOR = 0.1  # of the cosine, so that there is a gradient where the angle is wide (tensorflow/lucid)
TINY = 1e-12


@dataclass(eq=False)
class Direction(Objective):
    """Dot product with a vector times a power of the cosine, ``dot * max(.1, cos) ** cosine_power``: a picture each.

    Dot and cosine are taken at each position, and the mean over positions is the score (``direction`` in
    tensorflow/lucid; power 2 in the icons of Carter et al. 2019, distill.pub/2019/activation-atlas). ``vectors`` are
    numbers, lists of numbers, or a file (see ``read_vectors``), or such for each of several layers, by module.
    """

    layer: str
    filters: Sequence[int]
    vectors: Vectors | VectorsByLayer
    cosine_power: float = 2.0
    _table: Tensor = field(init=False, repr=False)

    own_units = True

    def __post_init__(self) -> None:
        """Read the vectors."""
        check_power(self.cosine_power)
        check_vectors(self.vectors)
        if not isinstance(self.vectors, Mapping):
            self._read(self.vectors)

    def _read(self, vectors: Vectors) -> None:
        self._table = read_vectors(vectors)
        check_numbers(self._table, self.filters)

    @property
    @override
    def layers(self) -> tuple[str, ...]:
        return (self.layer,)

    @classmethod
    @override
    def units(cls, spec: FilterSpec, layer: Layer, model: Model, seed: int, **settings: Any) -> list[int]:
        return vector_numbers(vectors_of(settings["vectors"], layer.name), layer)

    @override
    def prepare(self, backbone: Backbone) -> None:
        layer = backbone.layers[self.layer]
        if isinstance(self.vectors, Mapping):
            self._read(vectors_of(self.vectors, layer.name))
        check_length(self._table, layer.name, layer.channels or 0)

    @override
    def __call__(self, maps: Mapping[str, Tensor]) -> Tensor:
        return self._at_each(maps[self.layer]).mean((1, 2))

    def _at_each(self, maps: Tensor) -> Tensor:
        """The score of each position, (N, h, w)."""
        self._table = self._table.to(maps.device)
        rows = self._table if len(self._table) == 1 else self._table[per_picture(self.filters, maps)]
        return dot_times_cosine(maps.float(), rows[:, :, None, None], self.cosine_power, (1,))

    @override
    def __str__(self) -> str:
        return f"direction({self.layer})"


@dataclass(eq=False)
class DirectionNeuron(Direction):
    """As ``Direction``, at one position, [row, column]; null is the center (``direction_neuron`` in lucid)."""

    position: Position | None = None

    def __post_init__(self) -> None:
        """Refuse what is no position."""
        check_position(self.position)
        super().__post_init__()

    @override
    def prepare(self, backbone: Backbone) -> None:
        super().prepare(backbone)
        check_ordered(backbone, self.layer)

    @override
    def check(self, maps: Mapping[str, Tensor]) -> None:
        resolve_position(self.position, maps[self.layer], self.layer)

    @override
    def __call__(self, maps: Mapping[str, Tensor]) -> Tensor:
        row, column = resolve_position(self.position, maps[self.layer], self.layer)
        return self._at_each(maps[self.layer][:, :, row : row + 1, column : column + 1])[:, 0, 0]

    @override
    def __str__(self) -> str:
        return f"direction_neuron({self.layer})"


def dot_times_cosine(one: Tensor, other: Tensor, power: float, axes: tuple[int, ...]) -> Tensor:
    """``dot * max(.1, cos) ** power`` over some axes; with power 0 the dot product alone."""
    dot = (one * other).sum(axes)
    if power == 0:
        return dot
    norms = torch.linalg.vector_norm(one, dim=axes) * torch.linalg.vector_norm(other, dim=axes)
    return dot * (dot / norms.clamp_min(TINY)).clamp_min(FLOOR) ** power


def check_power(power: float) -> None:
    """Raise FeatvizError for a negative power, which would reward a wide angle."""
    if power < 0:
        raise FeatvizError(setting="objective.cosine_power", got=power, expected="zero or more")
