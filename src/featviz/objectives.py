"""What is maximised: one number for each picture, from the feature maps of the layers asked for.

Objectives are values: ``a + b``, ``0.5 * a`` and ``-a`` are objectives too. Pictures never meet in one: the score
of a picture does not depend on the others of its batch.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


class Objective(ABC):
    """Called with feature maps {layer: (N, filters, h, w)}; gives scores (N,)."""

    @abstractmethod
    def __call__(self, maps: Mapping[str, Tensor]) -> Tensor:
        """Return one score for each picture, (N,)."""

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
