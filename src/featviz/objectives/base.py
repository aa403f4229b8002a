"""What every objective can do, and how objectives combine like numbers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor
from typing_extensions import override

from featviz.errors import FeatvizError
from featviz.filters import FilterSpec, parse_filters
from featviz.models.layers import Layer
from featviz.shapes import Size

if TYPE_CHECKING:
    from featviz.models.backbone import Backbone
    from featviz.models.model import Model


PIXELS = "pixels"  # in the place of a layer: what the network sees of the pictures


class Objective(ABC):
    """What is maximized: called with feature maps {layer: (N, filters, h, w)}, it returns scores (N,).

    A configuration names a subclass, or a function that returns one. It is called with ``layer`` and with ``filters``,
    the numbers of the units that the pictures of a batch are made for: of filters, classes, directions, or whatever
    ``units`` counts. An objective of one unit scores any number of pictures.
    """

    #: Whether its units are counted from 0 (directions, photos), rather than being filters of the layer.
    own_units: ClassVar[bool] = False

    @property
    def parts(self) -> tuple[Objective, ...]:
        """The objectives that it is made of."""
        return ()

    @property
    def acts_as(self) -> str | None:
        """The name of the objective that it comes to at its layer, where that is another one; tables show it."""
        return None

    @property
    def uses_variants(self) -> bool:
        """Whether the variants of a filter meet in it, and have to be made in one batch."""
        return any(part.uses_variants for part in self.parts)

    @property
    def pictures_per_filter(self) -> int | None:
        """How many pictures (variants) each unit has to have; None for any number."""
        return next((part.pictures_per_filter for part in self.parts if part.pictures_per_filter is not None), None)

    @property
    def keeps_best(self) -> bool:
        """Whether the picture with the highest ``worth`` is kept, and not the last."""
        return any(part.keeps_best for part in self.parts)

    @property
    def keeps_from(self) -> float:
        """The share of all steps from which on it is kept."""
        return max((part.keeps_from for part in self.parts if part.keeps_best), default=0.0)

    @property
    def needs_pixels(self) -> bool:
        """Whether the maps it is called with have the pictures as the network sees them, without transforms, too."""
        return any(part.needs_pixels for part in self.parts)

    @property
    def filters_read(self) -> Sequence[int] | None:
        """The only filters of its layer whose maps its score is made of; None where others may be part of it."""
        return None

    @property
    def uses_neighbors(self) -> bool:
        """Whether pictures of different units meet in it, and all of a layer have to be made in one batch."""
        return any(part.uses_neighbors for part in self.parts)

    @property
    def statistic(self) -> str | None:
        """How a picture's activation is computed from its filter's feature map: "mean", "max", or None for neither."""
        return None

    @property
    @abstractmethod
    def layers(self) -> tuple[str, ...]:
        """The layers whose feature maps it is called with."""

    @abstractmethod
    def __call__(self, maps: Mapping[str, Tensor]) -> Tensor:
        """Return one score for each picture, (N,)."""

    @property
    def needs_links(self) -> bool:
        """Whether gradients have to lead from one of its layers to others: see ``Backbone``'s ``linked``."""
        return any(part.needs_links for part in self.parts)

    def completed(self, maps: dict[str, Tensor]) -> dict[str, Tensor]:
        """Feature maps as a backbone returns them, of all copies of the pictures, and what is computed from them first.

        What it is called with afterwards are the maps of one copy of each picture.
        """
        for part in self.parts:
            maps = part.completed(maps)
        return maps

    def activation(self, maps: Mapping[str, Tensor]) -> Tensor:
        """What tables show of each picture, (N,): the score, unless another number says more."""
        return self(maps)

    def progress(self, maps: Mapping[str, Tensor]) -> Tensor:
        """What must have risen for a picture to be ok, (N,): the score, unless a penalty holds that back."""
        return self(maps)

    def worth(self, maps: Mapping[str, Tensor]) -> Tensor:
        """How good pictures are, (N,), where the best of all steps are kept: see ``keeps_best``."""
        return self(maps)

    def columns(self, maps: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Further numbers of each finished picture, (N,), by the names of their columns in tables."""
        return {name: values for part in self.parts for name, values in part.columns(maps).items()}

    def remarks(self, maps: Mapping[str, Tensor]) -> list[str]:
        """What tables say of each finished picture that has not become what was asked for; empty where it has."""
        told = [""] * len(maps[self.layers[0]])
        for part in self.parts:
            told = [here or there for here, there in zip(told, part.remarks(maps), strict=True)]
        return told

    def fulfilled(self, maps: Mapping[str, Tensor]) -> Tensor:
        """Whether nothing more is asked of a picture, (N,): one that is so from the start stays as it is."""
        return torch.zeros(len(maps[self.layers[0]]), dtype=torch.bool)

    def prepare(self, backbone: Backbone) -> None:
        """Compute, before the first step, what does not change; refuse what the network does not have."""
        for part in self.parts:
            part.prepare(backbone)

    def photos(self, size: Size) -> dict[str, Tensor]:
        """Photos (N or 1, channels, H, W) in [0, 1] with which pictures of ``size`` px are compared, by name.

        Where pictures are changed on their way to the network, these should be changed alike, and their feature maps
        handed over with the pictures', each under ``photo_key(layer, name)``. Otherwise they are seen unchanged.
        """
        return {name: photos for part in self.parts for name, photos in part.photos(size).items()}

    def check(self, maps: Mapping[str, Tensor]) -> None:
        """Raise FeatvizError where feature maps as small as these, the smallest of a run, cannot be scored."""
        for part in self.parts:
            part.check(maps)

    @classmethod
    def units(cls, spec: FilterSpec, layer: Layer, model: Model, seed: int, **settings: Any) -> list[int]:  # noqa: ARG003
        """The numbers of the units that ``spec`` names, a picture each: here the filters of ``layer``.

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


def photo_key(layer: str, name: str) -> str:
    """The name of the feature maps of photos that have gone the same way as the pictures: see ``Objective.photos``."""
    return f"{layer} of {name}"


#: An objective of a batch, from ``layer`` and ``filters``: a class, or a partial of it that holds its settings.
Factory = Callable[..., Objective]


def units_of(factory: Factory, spec: FilterSpec, layer: Layer, model: Model, seed: int) -> list[int]:
    """The numbers of all units of one layer, as the objective behind a configuration's partial counts them."""
    settings = {name: value for name, value in partial_settings(factory).items() if name not in ("layer", "filters")}
    numbers: Callable[..., list[int]] = getattr(objective_class(factory), "units", Objective.units)
    return numbers(spec=spec, layer=layer, model=model, seed=seed, **settings)


def objective_class(factory: Factory) -> Any:
    """The class, or the function, behind a configuration's partial."""
    return getattr(factory, "func", factory)


def partial_settings(factory: Factory) -> Mapping[str, Any]:
    """The settings that a configuration's partial holds."""
    settings: Mapping[str, Any] = getattr(factory, "keywords", {})
    return settings


@dataclass(frozen=True)
class Sum(Objective):
    """The sum of two objectives."""

    first: Objective
    second: Objective

    @property
    @override
    def parts(self) -> tuple[Objective, ...]:
        return self.first, self.second

    @property
    @override
    def layers(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(self.first.layers + self.second.layers))

    @override
    def activation(self, maps: Mapping[str, Tensor]) -> Tensor:
        return self.first.activation(maps)

    @override
    def __call__(self, maps: Mapping[str, Tensor]) -> Tensor:
        return self.first(maps) + self.second(maps)

    @override
    def worth(self, maps: Mapping[str, Tensor]) -> Tensor:
        return self.first.worth(maps) + self.second.worth(maps)

    @override
    def __str__(self) -> str:
        return f"{self.first} + {self.second}"


class Wrapped(Objective):
    """An objective that changes the scores of another one, ``inner``, whose activation tables show."""

    inner: Objective

    @property
    @override
    def parts(self) -> tuple[Objective, ...]:
        return (self.inner,)

    @property
    @override
    def layers(self) -> tuple[str, ...]:
        return self.inner.layers

    @override
    def activation(self, maps: Mapping[str, Tensor]) -> Tensor:
        return self.inner.activation(maps)

    @override
    def worth(self, maps: Mapping[str, Tensor]) -> Tensor:
        return self.inner.worth(maps)


@dataclass(frozen=True)
class Scaled(Wrapped):
    """An objective times a number."""

    inner: Objective
    factor: float

    @override
    def __call__(self, maps: Mapping[str, Tensor]) -> Tensor:
        return self.factor * self.inner(maps)

    @override
    def worth(self, maps: Mapping[str, Tensor]) -> Tensor:
        return self.factor * self.inner.worth(maps)

    @override
    def __str__(self) -> str:
        return f"{self.factor:g} * ({self.inner})"


def per_picture(numbers: Sequence[float], maps: Tensor) -> Tensor:
    """One number for each picture of ``maps``, (N,), on their device; a single one serves all."""
    if len(numbers) not in (1, len(maps)):
        what = f"an objective of {len(numbers)} filters cannot score {len(maps)} pictures"
        raise FeatvizError(what, setting="filters", got=len(numbers))
    return torch.as_tensor(numbers, device=maps.device).expand(len(maps))
