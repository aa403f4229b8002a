"""Any objective, up to a level beyond which nothing is asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from torch import Tensor
from typing_extensions import override

from featviz.errors import FeatvizError
from featviz.filters import FilterSpec
from featviz.models.layers import Layer
from featviz.objectives.base import Factory, Wrapped, units_of

if TYPE_CHECKING:
    from featviz.models.model import Model


class Cap(Wrapped):
    """The objective ``of``, up to the score ``level``, at which its gradient ends: ``min(score, level)``.

    :class:`featviz.objectives.Capped` has the levels of a filter's strongest photos.
    """

    def __init__(self, layer: str, filters: Sequence[int], of: Factory, level: float) -> None:
        if not callable(of):
            raise FeatvizError(
                setting="objective.of", got=of, expected="an objective with _target_ and _partial_: true"
            )
        self.inner = of(layer=layer, filters=filters)
        self.level = level

    @property
    @override
    def statistic(self) -> str | None:
        return self.inner.statistic

    @classmethod
    @override
    def units(cls, spec: FilterSpec, layer: Layer, model: Model, seed: int, **settings: Any) -> list[int]:
        return units_of(settings["of"], spec, layer, model, seed)

    @override
    def progress(self, maps: Mapping[str, Tensor]) -> Tensor:
        return self.inner.progress(maps)

    @override
    def fulfilled(self, maps: Mapping[str, Tensor]) -> Tensor:
        return self.inner(maps) >= self.level

    @override
    def __call__(self, maps: Mapping[str, Tensor]) -> Tensor:
        return self.inner(maps).clamp_max(self.level)

    @override
    def __str__(self) -> str:
        return f"cap({self.inner}, {self.level:g})"
