"""Objectives of single filters: their mean, one position, a class, and what a filter dislikes."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from typing_extensions import override

from featviz.errors import FeatvizError
from featviz.filters import LOGITS, FilterSpec, parse_filters
from featviz.models.frames import axes_of
from featviz.models.layers import Layer
from featviz.objectives.base import Objective, per_picture
from featviz.objectives.positions import Position, check_ordered, check_position, resolve_position

if TYPE_CHECKING:
    from featviz.models.backbone import Backbone
    from featviz.models.model import Model


@dataclass(frozen=True)
class Channel(Objective):
    """The mean of one filter's feature map (Erhan et al. 2009), over time too: filter ``filters[i]`` for picture i.

    In a transformer it is the mean over the patches; class and register tokens are left out.
    """

    layer: str
    filters: Sequence[int]

    @property
    @override
    def statistic(self) -> str | None:
        return "mean"

    @property
    @override
    def layers(self) -> tuple[str, ...]:
        return (self.layer,)

    @property
    @override
    def filters_read(self) -> Sequence[int] | None:
        # a subclass with a score of its own may read more
        return self.filters if type(self).__call__ in (Channel.__call__, Neuron.__call__) else None

    @override
    def prepare(self, backbone: Backbone) -> None:
        check_filters(backbone, self.layer, self.filters)

    @override
    def __call__(self, maps: Mapping[str, Tensor]) -> Tensor:
        return filter_activations(maps[self.layer], self.filters)

    @override
    def __str__(self) -> str:
        return f"{type(self).__name__.lower()}({self.layer})"


@dataclass(frozen=True)
class ScoredChannel(Channel):
    """A filter whose score is more than its mean, which tables show."""

    @override
    def activation(self, maps: Mapping[str, Tensor]) -> Tensor:
        return Channel.__call__(self, maps)


@dataclass(frozen=True)
class PenalizedChannel(ScoredChannel):
    """A filter whose score may rise or fall by what the filter has no part in: its mean must have risen.

    A start has no penalty to pay yet, and that of a filter which never moves may become less.
    """

    @override
    def progress(self, maps: Mapping[str, Tensor]) -> Tensor:
        return self.activation(maps)


@dataclass(frozen=True)
class Neuron(Channel):
    """One position of a filter's feature map (Erhan et al. 2009), [row, column]; null is the center.

    In a transformer it is the position of a patch. The center is row h // 2 and column w // 2, as in tensorflow/lucid.
    For films it is [frame, row, column] of the feature map.
    """

    position: Position | None = None

    @property
    @override
    def statistic(self) -> str | None:
        # What a photo reaches at its strongest position.
        return "max"

    def __post_init__(self) -> None:
        """Refuse what is no position."""
        check_position(self.position)

    @override
    def prepare(self, backbone: Backbone) -> None:
        super().prepare(backbone)
        check_ordered(backbone, self.layer)

    @override
    def check(self, maps: Mapping[str, Tensor]) -> None:
        resolve_position(self.position, maps[self.layer], self.layer)

    @override
    def __call__(self, maps: Mapping[str, Tensor]) -> Tensor:
        place = resolve_position(self.position, maps[self.layer], self.layer)
        return filter_activations(maps[self.layer][:, :, *(slice(at, at + 1) for at in place)], self.filters)


@dataclass(frozen=True)
class Logit(Channel):
    """A class before the softmax (Simonyan et al. 2014, arXiv 1312.6034), by its number or name."""

    layer: str = LOGITS
    filters: Sequence[int] = (0,)

    @classmethod
    @override
    def units(cls, spec: FilterSpec, layer: Layer, model: Model, seed: int, **settings: Any) -> list[int]:
        channels = layer.channels or 0
        if layer.shape is None or layer.shape != (1, channels):
            raise FeatvizError(
                f"objective=logit: layer {layer.name} hands out {layer.returned}, not one number for each class; "
                "expected layer=logits"
            )
        classes = model.classes if len(model.classes) == channels else ()
        return parse_filters(spec, layer.name, channels, seed, classes)


@dataclass(frozen=True)
class Negative(ScoredChannel):
    """What a filter dislikes: minus its mean. Tables show the mean."""

    @override
    def __call__(self, maps: Mapping[str, Tensor]) -> Tensor:
        return -super().__call__(maps)


class OfFilters(Objective):
    """An objective that is more than filters' activations, though its pictures are of filters, one each."""

    @property
    @abstractmethod
    def subject(self) -> Channel:
        """These filters, or classes."""

    @property
    @override
    def statistic(self) -> str | None:
        return "mean"

    @override
    def activation(self, maps: Mapping[str, Tensor]) -> Tensor:
        return self.subject(maps)


def subject(objective: Objective) -> Channel | None:
    """The filters, neurons or classes that pictures are of, one each; None where they are of something else."""
    if isinstance(objective, OfFilters):
        return objective.subject
    return objective if isinstance(objective, Channel) else None


def class_names(objective: Objective, backbone: Backbone) -> tuple[str, ...]:
    """The names of the units where they are classes that the model names; empty where they are not."""
    unit = subject(objective)
    return backbone.class_names(unit.layer) if unit else ()


def filter_activations(maps: Tensor, filters: Sequence[int]) -> Tensor:
    """Mean (N,) of filter ``filters[i]`` in the feature maps (N, filters, ...) of picture i."""
    rows = torch.arange(len(maps), device=maps.device)
    own = maps[rows, per_picture(filters, maps)].float()
    return own.mean(axes_of(own))


def places_of_filters(filters: Sequence[int], count: int) -> list[list[int]]:
    """The places of each filter's pictures among ``count``, filter by filter; a single filter has them all."""
    numbers = list(filters) if len(filters) > 1 else list(filters) * count
    return [[at for at, other in enumerate(numbers) if other == number] for number in dict.fromkeys(numbers)]


def check_filters(backbone: Backbone, layer: str, filters: Sequence[int]) -> None:
    """Raise FeatvizError for filters that a layer of the network does not have."""
    module = backbone.layers[layer]
    parse_filters(list(filters), module.name, module.channels or 0)
