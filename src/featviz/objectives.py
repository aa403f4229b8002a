"""What is maximised: one number for each picture, from the feature maps of the layers asked for.

Objectives are values: ``a + b``, ``0.5 * a`` and ``-a`` are objectives too. Pictures never meet in one: the score
of a picture does not depend on the others of its batch.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from featviz.layers import FilterSpec, Layer, parse_filters

if TYPE_CHECKING:
    from featviz.backbone import Backbone
    from featviz.models.model import Model


class Objective(ABC):
    """Called with feature maps {layer: (N, filters, h, w)}; gives scores (N,).

    A configuration names a subclass, or a function that returns one, to be called with ``layer`` and ``filters``, the
    numbers of the pictures of a batch. What these number is the objective's affair: see ``numbers``.
    """

    @property
    @abstractmethod
    def layers(self) -> tuple[str, ...]:
        """The layers whose feature maps it is called with."""

    @abstractmethod
    def __call__(self, maps: Mapping[str, Tensor]) -> Tensor:
        """Return one score for each picture, (N,)."""

    def activation(self, maps: Mapping[str, Tensor]) -> Tensor:
        """What tables show of each picture, (N,): the score, unless another number says more."""
        return self(maps)

    def prepare(self, backbone: Backbone) -> None:  # noqa: B027 - most have nothing to do
        """Compute, before the first step, what does not change: a photo's activations, say."""

    @classmethod
    def numbers(cls, spec: FilterSpec, layer: Layer, model: Model, seed: int, **settings: Any) -> list[int]:  # noqa: ARG003
        """The numbers of all pictures to be made: here the filters of ``layer`` that ``spec`` names.

        ``settings`` are the objective's own in the configuration. Raises FeatvizError for what does not exist.
        """
        return parse_filters(spec, layer.name, layer.channels or 0, seed)

    def __add__(self, other: Objective) -> Objective:
        """Both together."""
        return Sum(self, other)

    def __sub__(self, other: Objective) -> Objective:
        """This one, and as little as possible of the other."""
        return Sum(self, Scaled(other, -1.0))

    def __mul__(self, factor: float) -> Objective:
        """Weighted."""
        return Scaled(self, factor)

    __rmul__ = __mul__

    def __neg__(self) -> Objective:
        """As little as possible."""
        return Scaled(self, -1.0)


@dataclass(frozen=True)
class Sum(Objective):
    """The sum of two objectives."""

    first: Objective
    second: Objective

    @property
    def layers(self) -> tuple[str, ...]:
        """Those of both."""
        return tuple(dict.fromkeys(self.first.layers + self.second.layers))

    def prepare(self, backbone: Backbone) -> None:
        """Prepare both."""
        self.first.prepare(backbone)
        self.second.prepare(backbone)

    def activation(self, maps: Mapping[str, Tensor]) -> Tensor:
        """That of the first."""
        return self.first.activation(maps)

    def __call__(self, maps: Mapping[str, Tensor]) -> Tensor:
        """Return the sums, (N,)."""
        return self.first(maps) + self.second(maps)

    def __str__(self) -> str:
        """Name for logs."""
        return f"{self.first} + {self.second}"


@dataclass(frozen=True)
class Scaled(Objective):
    """An objective times a number."""

    inner: Objective
    factor: float

    @property
    def layers(self) -> tuple[str, ...]:
        """Those of the objective."""
        return self.inner.layers

    def prepare(self, backbone: Backbone) -> None:
        """Prepare the objective."""
        self.inner.prepare(backbone)

    def activation(self, maps: Mapping[str, Tensor]) -> Tensor:
        """That of the objective, not multiplied."""
        return self.inner.activation(maps)

    def __call__(self, maps: Mapping[str, Tensor]) -> Tensor:
        """Return the products, (N,)."""
        return self.factor * self.inner(maps)

    def __str__(self) -> str:
        """Name for logs."""
        return f"{self.factor:g} * ({self.inner})"


@dataclass(frozen=True)
class Channel(Objective):
    """The spatial mean of one filter's feature map (Erhan et al. 2009): filter ``filters[i]`` for picture i."""

    layer: str
    filters: Sequence[int]

    @property
    def layers(self) -> tuple[str, ...]:
        """Its layer."""
        return (self.layer,)

    def __call__(self, maps: Mapping[str, Tensor]) -> Tensor:
        """Return the activations, (N,)."""
        return filter_activations(maps[self.layer], self.filters)

    def __str__(self) -> str:
        """Name for logs."""
        return f"channel({self.layer})"


def filter_activations(maps: Tensor, filters: Sequence[int]) -> Tensor:
    """Spatial mean (N,) of filter ``filters[i]`` in the feature maps (N, filters, h, w) of picture i."""
    rows = torch.arange(len(filters), device=maps.device)
    return maps[rows, torch.as_tensor(filters, device=maps.device)].float().mean((1, 2))
