"""What a whole layer sees: DeepDream."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from torch import Tensor

from featviz.models.filters import FilterSpec
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

    own_numbers = True

    @property
    def layers(self) -> tuple[str, ...]:
        """Its layer."""
        return (self.layer,)

    @classmethod
    def numbers(cls, spec: FilterSpec, layer: Layer, model: Model, seed: int, **settings: Any) -> list[int]:  # noqa: ARG003
        """One picture."""
        return [0]

    def __call__(self, maps: Mapping[str, Tensor]) -> Tensor:
        """Return half the mean squares, (N,)."""
        return maps[self.layer].float().square().mean((1, 2, 3)) / 2

    def __str__(self) -> str:
        """Name for logs."""
        return f"layer({self.layer})"
