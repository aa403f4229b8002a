"""Objectives of single filters: their mean, one position, a class, and what a filter dislikes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from featviz.errors import FeatvizError
from featviz.models.filters import FilterSpec, parse_filters
from featviz.models.layers import LOGITS, Layer
from featviz.objectives.base import Objective, for_each
from featviz.objectives.positions import Position, check_position, place

if TYPE_CHECKING:
    from featviz.models.backbone import Backbone
    from featviz.models.model import Model


@dataclass(frozen=True)
class Channel(Objective):
    """The spatial mean of one filter's feature map (Erhan et al. 2009): filter ``filters[i]`` for picture i.

    In a transformer it is the mean over the patches; class and register tokens are left out.
    """

    layer: str
    filters: Sequence[int]

    @property
    def figure(self) -> str | None:
        """The mean."""
        return "mean"

    @property
    def layers(self) -> tuple[str, ...]:
        """Its layer."""
        return (self.layer,)

    def prepare(self, backbone: Backbone) -> None:
        """Refuse filters that the layer does not have."""
        check_filters(backbone, self.layer, self.filters)

    def __call__(self, maps: Mapping[str, Tensor]) -> Tensor:
        """Return the activations, (N,)."""
        return filter_activations(maps[self.layer], self.filters)

    def __str__(self) -> str:
        """Name for logs."""
        return f"{type(self).__name__.lower()}({self.layer})"


@dataclass(frozen=True)
class Neuron(Channel):
    """One position of a filter's feature map (Erhan et al. 2009), [row, column]; null is the center.

    In a transformer it is the position of a patch. The center is row h // 2 and column w // 2, as in tensorflow/lucid.
    """

    position: Position | None = None

    @property
    def figure(self) -> str | None:
        """What a photo reaches at its strongest position."""
        return "max"

    def __post_init__(self) -> None:
        """Refuse what is no position."""
        check_position(self.position)

    def check(self, maps: Mapping[str, Tensor]) -> None:
        """Refuse a position outside."""
        place(self.position, maps[self.layer], self.layer)

    def __call__(self, maps: Mapping[str, Tensor]) -> Tensor:
        """Return the values at the position, (N,)."""
        row, column = place(self.position, maps[self.layer], self.layer)
        return filter_activations(maps[self.layer][:, :, row : row + 1, column : column + 1], self.filters)


@dataclass(frozen=True)
class Logit(Channel):
    """A class before the softmax (Simonyan et al. 2014, arXiv 1312.6034), by its number or name."""

    layer: str = LOGITS
    filters: Sequence[int] = (0,)

    @classmethod
    def numbers(cls, spec: FilterSpec, layer: Layer, model: Model, seed: int, **settings: Any) -> list[int]:  # noqa: ARG003
        """The classes that ``spec`` names."""
        channels = layer.channels or 0
        if layer.shape is None or layer.shape != (1, channels):
            raise FeatvizError(
                f"objective=logit: layer {layer.name} hands out {layer.returned}, not one number for each class; "
                "expected layer=logits"
            )
        classes = model.classes if len(model.classes) == channels else ()
        return parse_filters(spec, layer.name, channels, seed, classes)


@dataclass(frozen=True)
class Negative(Channel):
    """What a filter dislikes: minus its mean. Tables show the mean."""

    def activation(self, maps: Mapping[str, Tensor]) -> Tensor:
        """The mean, which is to become small."""
        return super().__call__(maps)

    def __call__(self, maps: Mapping[str, Tensor]) -> Tensor:
        """Return minus the activations, (N,)."""
        return -super().__call__(maps)


def filter_activations(maps: Tensor, filters: Sequence[int]) -> Tensor:
    """Spatial mean (N,) of filter ``filters[i]`` in the feature maps (N, filters, h, w) of picture i."""
    rows = torch.arange(len(maps), device=maps.device)
    return maps[rows, for_each(filters, maps)].float().mean((1, 2))


def check_filters(backbone: Backbone, layer: str, filters: Sequence[int]) -> None:
    """Raise FeatvizError for filters that a layer of the network does not have."""
    found = backbone.layers[layer]
    parse_filters(list(filters), found.name, found.channels or 0)
