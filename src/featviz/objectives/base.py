"""What every objective can do, and how objectives combine like numbers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor

from featviz.errors import FeatvizError
from featviz.models.filters import FilterSpec, parse_filters
from featviz.models.layers import Layer

if TYPE_CHECKING:
    from featviz.models.backbone import Backbone
    from featviz.models.model import Model


class Objective(ABC):
    """Called with feature maps {layer: (N, filters, h, w)}; gives scores (N,).

    A configuration names a subclass, or a function that returns one, to be called with ``layer`` and ``filters``, the
    numbers of the pictures of a batch. What these number is the objective's affair: see ``numbers``. An objective of
    one number serves any number of pictures.
    """

    #: Whether the numbers of its pictures are its own count, from 0, rather than numbers of filters.
    own_numbers: ClassVar[bool] = False

    @property
    def parts(self) -> tuple[Objective, ...]:
        """The objectives that it is made of."""
        return ()

    @property
    def uses_variants(self) -> bool:
        """Whether the variants of a filter meet in it, and have to be made in one batch."""
        return any(part.uses_variants for part in self.parts)

    @property
    def figure(self) -> str | None:
        """What the activation of a picture is of its filter's feature map: its mean, its max, or None for neither."""
        return None

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

    def progress(self, maps: Mapping[str, Tensor]) -> Tensor:
        """What must have risen for a picture to be ok, (N,): the score, unless a penalty holds that back."""
        return self(maps)

    def prepare(self, backbone: Backbone) -> None:
        """Compute, before the first step, what does not change; refuse what the network does not have."""
        for part in self.parts:
            part.prepare(backbone)

    def photos(self, size: int) -> dict[str, Tensor]:
        """Photos (N or 1, channels, size, size) in [0, 1] with which pictures of ``size`` px are compared, by name.

        Where pictures are changed on their way to the network, these should be changed alike, and their feature maps
        handed over with the pictures', each under ``beside(layer, name)``. Otherwise they are seen unchanged.
        """
        return {name: photos for part in self.parts for name, photos in part.photos(size).items()}

    def check(self, maps: Mapping[str, Tensor]) -> None:
        """Raise FeatvizError where feature maps as small as these, the smallest of a run, cannot be scored."""
        for part in self.parts:
            part.check(maps)

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


def beside(layer: str, name: str) -> str:
    """The name of the feature maps of photos that have gone the same way as the pictures: see ``Objective.photos``."""
    return f"{layer} of {name}"


#: An objective of a batch, from ``layer`` and ``filters``: a class, or a partial of it that holds its settings.
Factory = Callable[..., Objective]


def numbers_of(factory: Factory, spec: FilterSpec, layer: Layer, model: Model, seed: int) -> list[int]:
    """The numbers of all pictures of one layer, as the objective behind a configuration's partial counts them."""
    settings = {name: value for name, value in settings_of(factory).items() if name not in ("layer", "filters")}
    numbers: Callable[..., list[int]] = getattr(kind_of(factory), "numbers", Objective.numbers)
    return numbers(spec=spec, layer=layer, model=model, seed=seed, **settings)


def kind_of(factory: Factory) -> Any:
    """The class, or the function, behind a configuration's partial."""
    return getattr(factory, "func", factory)


def settings_of(factory: Factory) -> Mapping[str, Any]:
    """The settings that a configuration's partial holds."""
    settings: Mapping[str, Any] = getattr(factory, "keywords", {})
    return settings


@dataclass(frozen=True)
class Sum(Objective):
    """The sum of two objectives."""

    first: Objective
    second: Objective

    @property
    def parts(self) -> tuple[Objective, ...]:
        """Both."""
        return self.first, self.second

    @property
    def layers(self) -> tuple[str, ...]:
        """Those of both."""
        return tuple(dict.fromkeys(self.first.layers + self.second.layers))

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
    def parts(self) -> tuple[Objective, ...]:
        """The objective."""
        return (self.inner,)

    @property
    def layers(self) -> tuple[str, ...]:
        """Those of the objective."""
        return self.inner.layers

    def activation(self, maps: Mapping[str, Tensor]) -> Tensor:
        """That of the objective, not multiplied."""
        return self.inner.activation(maps)

    def __call__(self, maps: Mapping[str, Tensor]) -> Tensor:
        """Return the products, (N,)."""
        return self.factor * self.inner(maps)

    def __str__(self) -> str:
        """Name for logs."""
        return f"{self.factor:g} * ({self.inner})"


def for_each(numbers: Sequence[float], maps: Tensor) -> Tensor:
    """One number for each picture of ``maps``, (N,), on their device; a single one serves all."""
    if len(numbers) not in (1, len(maps)):
        raise FeatvizError(f"an objective of {len(numbers)} filters cannot score {len(maps)} pictures")
    return torch.as_tensor(numbers, device=maps.device).expand(len(maps))
