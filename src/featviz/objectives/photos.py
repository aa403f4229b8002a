"""Objectives that take a photo: what a layer keeps of it, what it makes of it, and what a filter sees in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from typing_extensions import override

from featviz.errors import FeatvizError
from featviz.filters import FilterSpec
from featviz.models.layers import Layer
from featviz.models.redirected_relu import RedirectedReLU
from featviz.objectives.base import Objective
from featviz.objectives.directions import TINY, check_power, dot_times_cosine
from featviz.objectives.filters import Channel
from featviz.objectives.references import Photo, References, photo_files
from featviz.shapes import Size

if TYPE_CHECKING:
    from featviz.models.backbone import Backbone
    from featviz.models.model import Model

NOISE = 0.1  # standard deviation of what is added to a photo where two gradients at it are compared


@dataclass(eq=False)
class _OfPhotos(Objective):
    """A picture for each photo: ``photo`` is a file, a folder, or several."""

    layer: str
    filters: Sequence[int]
    photo: Photo
    _references: References = field(init=False, repr=False)

    own_units = True

    def __post_init__(self) -> None:
        """Find the photos."""
        files = photo_files(self.photo)
        if len(files) > 1 and max(self.filters) >= len(files):
            raise FeatvizError(f"there is no photo {max(self.filters)}: there are {len(files)}, from 0")
        chosen = [files[number] for number in self.filters] if len(files) > 1 else files
        self._references = References(chosen, self.layer)

    @property
    @override
    def layers(self) -> tuple[str, ...]:
        return (self.layer,)

    @classmethod
    @override
    def units(cls, spec: FilterSpec, layer: Layer, model: Model, seed: int, **settings: Any) -> list[int]:
        return list(range(len(photo_files(settings.get("photo")))))

    @override
    def prepare(self, backbone: Backbone) -> None:
        self._references.prepare(backbone)

    @override
    def photos(self, size: Size) -> dict[str, Tensor]:
        return {self._references.name: self._references.photos(size)}

    @override
    def __str__(self) -> str:
        return f"{type(self).__name__.lower()}({self.layer})"


@dataclass(eq=False)
class Caricature(_OfPhotos):
    """What a layer makes of a photo, exaggerated: the dot product of both feature maps (Olah 2018, tensorflow/lucid).

    Over all filters and positions, divided by the number of positions, times ``max(.1, cos) ** cosine_power``.
    """

    cosine_power: float = 0.0

    def __post_init__(self) -> None:
        """Refuse a negative power."""
        check_power(self.cosine_power)
        super().__post_init__()

    @override
    def __call__(self, maps: Mapping[str, Tensor]) -> Tensor:
        features = maps[self.layer].float()
        scores = dot_times_cosine(features, self._references.maps(maps), self.cosine_power, (1, 2, 3))
        return scores / features[0, 0].numel()


class Inversion(_OfPhotos):
    """What a layer keeps of a photo: minus the distance to its feature maps.

    The distance is the squared L2 norm of the difference over that of the photo's (Mahendran and Vedaldi 2015, arXiv
    1412.0035).
    """

    @override
    def __call__(self, maps: Mapping[str, Tensor]) -> Tensor:
        return -distances(maps[self.layer], self._references.maps(maps))


@dataclass(eq=False)
class Accentuation(Objective):
    """A filter accentuated in a photo (Hamblin et al. 2024, arXiv 2402.10039): its mean minus a distance to the photo.

    The distance is that of ``Inversion`` at an earlier layer, ``keep_layer``, times ``keep_weight``; null balances:
    at the photo with noise of .1, the distance's gradient becomes as strong as the filter's. The picture has to start
    from the photo (image=photo). Tables show the mean of the filter.
    """

    layer: str
    filters: Sequence[int]
    photo: str | None
    keep_layer: str = "layer1"
    keep_weight: float | None = None
    _references: References = field(init=False, repr=False)
    _weights: Tensor = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Find the photo."""
        files = photo_files(self.photo)
        if len(files) != 1:
            raise FeatvizError(f"objective.photo stands for {len(files)} photos; expected one")
        if self.keep_weight is not None and self.keep_weight < 0:
            raise FeatvizError(setting="objective.keep_weight", got=self.keep_weight, expected="zero or more, or null")
        self._references = References(files, self.keep_layer)
        self._weights = torch.tensor([1.0 if self.keep_weight is None else self.keep_weight])
        self._channel = Channel(self.layer, self.filters)

    @property
    @override
    def statistic(self) -> str | None:
        return "mean"

    @property
    @override
    def layers(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((self.layer, self.keep_layer)))

    @override
    def prepare(self, backbone: Backbone) -> None:
        self._channel.prepare(backbone)
        self._references.prepare(backbone)
        if self.keep_weight is None:
            self._weights = self._balanced(backbone)

    @override
    def photos(self, size: Size) -> dict[str, Tensor]:
        return {self._references.name: self._references.photos(size)}

    @override
    def activation(self, maps: Mapping[str, Tensor]) -> Tensor:
        return self._channel(maps)

    @override
    def progress(self, maps: Mapping[str, Tensor]) -> Tensor:
        # A start has no penalty to pay yet.
        return self.activation(maps)

    @override
    def __call__(self, maps: Mapping[str, Tensor]) -> Tensor:
        self._weights = self._weights.to(maps[self.layer].device)
        return self._channel(maps) - self._weights * distances(maps[self.keep_layer], self._references.maps(maps))

    @torch.enable_grad()
    def _balanced(self, backbone: Backbone) -> Tensor:
        """The filters' gradients over those of the distance, as lengths, (N,)."""
        photo = self._references.photos(backbone.model.size).to(backbone.mean.device)
        noise = torch.randn(photo.shape, generator=torch.Generator().manual_seed(0)).to(photo)
        pictures = (photo + NOISE * noise).repeat(len(self.filters), 1, 1, 1).requires_grad_()
        with RedirectedReLU():  # a filter that is shut at the photo has to be balanced too
            maps = backbone(pictures)
        terms = self._channel(maps), distances(maps[self.keep_layer], self._references.maps(maps))
        push, pull = (torch.autograd.grad(term.sum(), pictures, retain_graph=True)[0] for term in terms)
        return push.flatten(1).norm(dim=1) / pull.flatten(1).norm(dim=1).clamp_min(TINY)

    @override
    def __str__(self) -> str:
        return f"accentuation({self.layer})"


def distances(maps: Tensor, target: Tensor) -> Tensor:
    """Squared L2 norm (N,) of the difference to the target (N or 1, filters, h, w), over that of the target."""
    norm = target.square().sum((1, 2, 3)).clamp_min(TINY)
    return (maps.float() - target).square().sum((1, 2, 3)) / norm
