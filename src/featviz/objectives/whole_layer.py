"""What a whole layer sees: DeepDream."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from torch import Tensor
from typing_extensions import override

from featviz.filters import FilterSpec
from featviz.models.frames import axes_of
from featviz.models.layers import Layer
from featviz.objectives.base import Objective

if TYPE_CHECKING:
    from featviz.models.model import Model


@dataclass(frozen=True)
class WholeLayer(Objective):
    """Half the mean square of all values of a layer: one picture (Mordvintsev et al. 2015, google/deepdream).

    DeepDream takes the sum, half the squared L2 norm. The mean has the same direction of ascent, and its size does
    not depend on the picture's, so that regularizers weigh the same at each size.
    """

    layer: str
    filters: Sequence[int]

    own_units = True

    @property
    @override
    def layers(self) -> tuple[str, ...]:
        return (self.layer,)

    @classmethod
    @override
    def units(cls, spec: FilterSpec, layer: Layer, model: Model, seed: int, **settings: Any) -> list[int]:
        return [0]

    @override
    def __call__(self, maps: Mapping[str, Tensor]) -> Tensor:
        return maps[self.layer].float().square().mean(axes_of(maps[self.layer])) / 2

    @override
    def __str__(self) -> str:
        return f"layer({self.layer})"
