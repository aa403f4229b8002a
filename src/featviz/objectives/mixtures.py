"""Objectives of several filters at once: their weighted sum, and a row of pictures from one filter to another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from typing_extensions import override

from featviz.errors import FeatvizError, above_zero, at_least, within
from featviz.filters import FilterSpec, parse_filters
from featviz.models.frames import axes_of
from featviz.models.layers import Layer
from featviz.objectives.base import Objective, per_picture
from featviz.objectives.filters import check_filters

if TYPE_CHECKING:
    from featviz.models.backbone import Backbone
    from featviz.models.model import Model

MOST_PICTURES = 100_000  # in a row
FARTHEST = 4  # places in the row that pictures may be apart and still be alike (lucid)


@dataclass(frozen=True)
class Joint(Objective):
    """The weighted sum of the means of several filters, ``weights`` {number: weight}: one picture.

    Neurons are added in Olah et al. 2017, "Interaction between Neurons" (distill.pub/2017/feature-visualization).
    """

    layer: str
    filters: Sequence[int]
    weights: Mapping[int, float]

    own_units = True

    def __post_init__(self) -> None:
        """Refuse what are no weights of filters."""
        _weighted(self.weights)

    @property
    @override
    def layers(self) -> tuple[str, ...]:
        return (self.layer,)

    @classmethod
    @override
    def units(cls, spec: FilterSpec, layer: Layer, model: Model, seed: int, **settings: Any) -> list[int]:
        parse_filters(_weighted(settings["weights"]), layer.name, layer.channels or 0)
        return [0]

    @override
    def prepare(self, backbone: Backbone) -> None:
        check_filters(backbone, self.layer, list(self.weights))

    @override
    def __call__(self, maps: Mapping[str, Tensor]) -> Tensor:
        own = maps[self.layer][:, list(self.weights)].float()
        means = own.mean(axes_of(own)[1:])
        return means @ torch.tensor(list(self.weights.values()), dtype=means.dtype, device=means.device)

    @override
    def __str__(self) -> str:
        return f"joint({self.layer}, {', '.join(f'{w:g} * {number}' for number, w in self.weights.items())})"


@dataclass(frozen=True)
class Interpolation(Objective):
    """From one filter to another: picture i of n likes (1 - t) of the first and t of the second, t = i / (n - 1).

    After the interpolation between neurons of Olah et al. 2017 (distill.pub/2017/feature-visualization); the pictures
    of the row come about independently. The second filter is one of ``other_layer``, where that is not null
    (``channel_interpolate`` in tensorflow/lucid).
    """

    layer: str
    filters: Sequence[int]
    ends: Sequence[int]
    pictures: int = 6
    other_layer: str | None = None

    own_units = True

    def __post_init__(self) -> None:
        """Refuse what are no two filters."""
        _two(self.ends)
        within("objective.pictures", self.pictures, 2, MOST_PICTURES, f"2 (the ends alone) to {MOST_PICTURES}")

    @property
    @override
    def layers(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((self.layer, self._second_layer)))

    @property
    def _second_layer(self) -> str:
        return self.other_layer or self.layer

    @classmethod
    @override
    def units(cls, spec: FilterSpec, layer: Layer, model: Model, seed: int, **settings: Any) -> list[int]:
        ends, pictures = _two(settings["ends"]), settings.get("pictures", cls.pictures)
        parse_filters(ends[:1] if settings.get("other_layer") else ends, layer.name, layer.channels or 0)
        return list(range(pictures))

    @override
    def prepare(self, backbone: Backbone) -> None:
        for layer, end in zip((self.layer, self._second_layer), self.ends, strict=True):
            check_filters(backbone, layer, [end])

    @override
    def __call__(self, maps: Mapping[str, Tensor]) -> Tensor:
        ends = zip((self.layer, self._second_layer), self.ends, strict=True)
        first, second = (_mean(maps[layer][:, end].float()) for layer, end in ends)
        share = per_picture([number / (self.pictures - 1) for number in self.filters], first)
        return torch.lerp(first, second, share)

    @override
    def __str__(self) -> str:
        return f"interpolation({self.layer}, {self.ends[0]} to {self.ends[1]})"


@dataclass(frozen=True)
class Alignment(Interpolation):
    """As ``Interpolation``, with pictures near each other in the row alike (``alignment`` in tensorflow/lucid).

    So what they have in common stands at the same place in all of them. Each pair of pictures d apart, up to 4, costs
    ``weight`` times the mean squared difference of their feature maps at ``alike_at`` (null: ``layer``) over
    ``decay ** d``, half of it for each. Tables show the activation without that.
    """

    weight: float = 1.0
    alike_at: str | None = None
    decay: float = 2.0

    def __post_init__(self) -> None:
        """Refuse a weight that drives pictures apart, and a decay that none is."""
        super().__post_init__()
        at_least("objective.weight", self.weight, 0)
        above_zero("objective.decay", self.decay)

    @property
    @override
    def uses_neighbors(self) -> bool:
        return True

    @property
    @override
    def layers(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*super().layers, self.alike_at or self.layer)))

    @override
    def activation(self, maps: Mapping[str, Tensor]) -> Tensor:
        return super().__call__(maps)

    @override
    def progress(self, maps: Mapping[str, Tensor]) -> Tensor:
        # A start has no penalty to pay yet.
        return self.activation(maps)

    @override
    def __call__(self, maps: Mapping[str, Tensor]) -> Tensor:
        return super().__call__(maps) - self.weight * self._unlikeness(maps[self.alike_at or self.layer].float())

    def _unlikeness(self, maps: Tensor) -> Tensor:
        """Half of what each picture's pairs cost, (N,), pictures being where their numbers say."""
        places = [*self.filters] if len(self.filters) == len(maps) else [0] * len(maps)
        costs = [maps.new_zeros(()) for _ in places]
        for (one, here), (other, there) in combinations(enumerate(places), 2):
            distance = abs(there - here)
            if 0 < distance <= FARTHEST:
                cost = (maps[one] - maps[other]).square().mean() / self.decay**distance / 2
                costs[one], costs[other] = costs[one] + cost, costs[other] + cost
        return torch.stack(costs)

    @override
    def __str__(self) -> str:
        return f"alignment({self.layer}, {self.ends[0]} to {self.ends[1]})"


def _weighted(weights: Any) -> list[int]:
    """The filters that have a weight."""
    pairs = list(weights.items()) if isinstance(weights, Mapping) else []
    if not pairs or not all(type(number) is int and type(weight) in (int, float) for number, weight in pairs):
        expected = "a number for each filter, 'objective.weights={3:1.0,7:0.5}'"
        raise FeatvizError(setting="objective.weights", got=weights, expected=expected)
    return list(weights)


def _two(ends: Any) -> list[int]:
    several = list(ends) if isinstance(ends, Sequence) and not isinstance(ends, str) else []
    if len(several) != 2 or not all(isinstance(end, int) for end in several):
        raise FeatvizError(setting="objective.ends", got=ends, expected="two filters, 'objective.ends=[3,7]'")
    return several


def _mean(maps: Tensor) -> Tensor:
    """The means (N,) of feature maps (N, ...)."""
    return maps.mean(axes_of(maps))
