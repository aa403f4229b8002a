"""Pictures whose feature maps have the distributions of those of photos."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import functional as F
from typing_extensions import override

from featviz.errors import FeatvizError, at_least
from featviz.filters import LOGITS, FilterSpec
from featviz.models.backbone import Backbone
from featviz.models.hooks import device_of
from featviz.models.layers import Layer
from featviz.models.model import STAGES
from featviz.objectives.filters import Channel, Logit, OfFilters
from featviz.objectives.photo_sets import photos_of_units
from featviz.objectives.relevance import maps_and_gradients
from featviz.photos.exemplar_folder import load_photos

if TYPE_CHECKING:
    from featviz.models.model import Model

AT_ONCE = 8  # photos that are passed together
TINY = 1e-12


@dataclass(eq=False)
class Statistics(OfFilters):
    """Minus the distance to photos of the unit, between the distributions of each channel's values (VITAL).

    Görgün, Schiele and Fischer 2025, arXiv 2503.22399: at several layers, each channel's values in order are compared
    with the mean of the ordered values of photos; the score is minus the sum over layers of ``weights`` {layer: weight}
    times the mean squared difference. Photos are seen at the network's own size; where a feature map has another size
    than theirs, their ordered values are interpolated.

    Args:
        layer: of the units, whose photos they are: a filter's or, with ``layer=logits``, a class's.
        filters: the units.
        photos: where they are, see ``photos_of_units``.
        weights: of the layers; those of weight 0 are left out. Null: 1 for each of the four stages.
        relevance: for inner units: photos' feature maps are multiplied by how much each position matters to the unit,
            gradient times activation stretched from 0 to 1 in each map, and each channel's share of the distance by the
            largest relevance it has on any photo, over that of the layer's most relevant channel. Patches are taken
            from a folder of task=exemplars then. The source takes LRP; which maps it weighs is our reading of it.
        count: of photos at most.

    Tables show the unit's activation.
    """

    layer: str
    filters: Sequence[int]
    photos_from: str | Sequence[str]
    weights: Mapping[str, float] | None = None
    relevance: bool = False
    count: int = 50
    _files: list[list[Path]] = field(init=False, repr=False, default_factory=list)
    _model: Model | None = field(init=False, repr=False, default=None)
    _targets: dict[str, tuple[Tensor, Tensor]] = field(init=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse what are no weights."""
        weights = dict.fromkeys(STAGES, 1.0) if self.weights is None else self.weights
        numbers = list(weights.values()) if isinstance(weights, Mapping) else []
        if not all(isinstance(number, int | float) and number >= 0 for number in numbers) or not any(numbers):
            expected = "a number for each layer, '{layer1: 1, layer2: 0.5}', or null"
            raise FeatvizError(setting="objective.weights", got=self.weights, expected=expected)
        at_least("objective.count", self.count, 1)
        self._used = {name: float(weight) for name, weight in weights.items() if weight}
        self._unit = (Logit if self.layer == LOGITS else Channel)(self.layer, self.filters)

    @property
    @override
    def subject(self) -> Channel:
        return self._unit

    @property
    @override
    def layers(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((self.layer, *self._used)))

    @classmethod
    @override
    def units(cls, spec: FilterSpec, layer: Layer, model: Model, seed: int, **settings: Any) -> list[int]:
        return _kind(layer).units(spec, layer, model, seed)

    @override
    def prepare(self, backbone: Backbone) -> None:
        layer = backbone.layers[self.layer]
        self._unit = _kind(layer)(self.layer, self.filters)
        self._unit.prepare(backbone)
        self._model = backbone.model
        found = photos_of_units(self.photos_from, self.filters, layer, backbone.model, patches=self.relevance)
        self._files = [files[: self.count] for files in found]

    @override
    def progress(self, maps: Mapping[str, Tensor]) -> Tensor:
        return self(maps)

    @override
    def __call__(self, maps: Mapping[str, Tensor]) -> Tensor:
        self._targets = self._targets or self._of_photos()
        scores = torch.zeros((), device=maps[self.layer].device)
        for name, weight in self._used.items():
            ordered, relevances = (each.to(maps[name].device) for each in self._targets[name])
            values = maps[name].float().flatten(2).sort(2).values
            distances = (values - _resized(ordered, values.shape[2])).square().mean(2)
            scores = scores - weight * (distances * relevances).mean(1)
        return scores

    def _of_photos(self) -> dict[str, tuple[Tensor, Tensor]]:
        """For each layer what each unit's photos have: ordered values, (units, filters, positions), and shares."""
        if self._model is None:
            hint = "call prepare(backbone) first"
            raise FeatvizError(f"an objective with photos needs its network: {hint}", setting="objective", hint=hint)
        backbone = Backbone(self._model, self.layers, linked=self.relevance)
        try:
            each = [self._of_unit(backbone, at, files) for at, files in enumerate(self._files)]
        finally:
            backbone.close()
        pairs = {name: zip(*(found[name] for found in each), strict=True) for name in self._used}
        return {name: (torch.stack(ordered), torch.stack(shares)) for name, (ordered, shares) in pairs.items()}

    def _of_unit(self, backbone: Backbone, at: int, files: Sequence[Path]) -> dict[str, tuple[Tensor, Tensor]]:
        """For each layer the mean of the photos\' ordered values, (filters, positions), and the channels\' shares."""
        sums: dict[str, Tensor] = {}
        largest: dict[str, Tensor] = {}
        for first in range(0, len(files), AT_ONCE):
            some = files[first : first + AT_ONCE]
            photos = load_photos(some, backbone.model.size, backbone.model.in_channels)
            for name, (maps, relevance) in self._seen(backbone, at, photos).items():
                ordered = (maps * _stretched(relevance)).flatten(2).sort(2).values[: len(some)].sum(0)
                most = relevance[: len(some)].flatten(2).amax((0, 2))
                sums[name] = sums[name] + ordered if name in sums else ordered
                largest[name] = torch.maximum(largest[name], most) if name in largest else most
        return {name: (sums[name] / len(files), _shares(largest[name])) for name in self._used}

    def _seen(self, backbone: Backbone, at: int, photos: Tensor) -> dict[str, tuple[Tensor, Tensor]]:
        """Feature maps of photos, and how relevant each position is to a unit: all alike where that does not count."""
        photos = photos.to(device_of(backbone.network))
        if not self.relevance:
            with torch.no_grad():
                maps = backbone(photos)
            return {name: (maps[name].float().cpu(), torch.ones_like(maps[name]).float().cpu()) for name in self._used}
        unit = Channel(self.layer, [self.filters[at]])
        found = maps_and_gradients(backbone, photos, unit, list(self._used))
        return {name: (maps.cpu(), (maps * gradient).clamp_min(0).cpu()) for name, (maps, gradient) in found.items()}

    @override
    def __str__(self) -> str:
        return f"statistics({self.layer})"


def _kind(layer: Layer) -> type[Channel]:
    """What a layer's units are: classes, where it hands out one number for each."""
    return Logit if layer.shape == (1, layer.channels) else Channel


def _stretched(relevance: Tensor) -> Tensor:
    """Each map from 0, where it is smallest, to 1; a map that is the same everywhere is 1 there, or 0 if it is zero."""
    low, high = relevance.amin((2, 3), keepdim=True), relevance.amax((2, 3), keepdim=True)
    return torch.where(high > low, (relevance - low) / (high - low).clamp_min(TINY), (high > 0).float())


def _shares(largest: Tensor) -> Tensor:
    """Largest relevances of channels, over the largest of all; zero where nothing is relevant."""
    return largest / largest.max().clamp_min(TINY)


def _resized(ordered: Tensor, positions: int) -> Tensor:
    """Ordered values (units, filters, positions) as those of so many positions, the smallest and largest the same."""
    if ordered.shape[2] == positions:
        return ordered
    if positions == 1 or ordered.shape[2] == 1:
        return ordered.mean(2, keepdim=True).expand(-1, -1, positions)
    return F.interpolate(ordered, positions, mode="linear", align_corners=True)
