"""A filter that is not pushed any further once it answers as strongly as to photos."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from typing_extensions import override

from featviz.errors import FeatvizError, within
from featviz.objectives.base import per_picture
from featviz.objectives.filters import Channel, OfFilters, filter_activations
from featviz.photos.tables import read_exemplars, read_statistics
from featviz.reading import expanded

if TYPE_CHECKING:
    from featviz.models.backbone import Backbone


@dataclass(eq=False)
class Capped(OfFilters):
    """The mean of a filter, up to a level at which its gradient ends (EnergyDPS, ICML 2026): ``min(a, level)``.

    ``a`` is the mean over the whole feature map, and by a share of ``center`` that over its middle, of half its height
    and width. ``level`` is a number, or the folder of a run of task=exemplars: then it is each filter's mean over the
    photos that are its strongest. Tables show the mean of the filter.
    """

    layer: str
    filters: Sequence[int]
    level: float | str
    center: float = 0.3
    _levels: list[float] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Refuse what is no share."""
        within("objective.center", self.center, 0, 1, "a share, from 0 to 1")
        self._channel = Channel(self.layer, self.filters)
        self._levels = [] if isinstance(self.level, str) else [float(self.level)]

    @property
    @override
    def subject(self) -> Channel:
        return self._channel

    @property
    @override
    def layers(self) -> tuple[str, ...]:
        return (self.layer,)

    @override
    def prepare(self, backbone: Backbone) -> None:
        self._channel.prepare(backbone)
        if isinstance(self.level, str):
            known = photo_levels(expanded(self.level), backbone, self.layer)
            if missing := [number for number in self.filters if number not in known]:
                what = f"objective.level: {self.level} has no photos of filter {missing[0]} of {self.layer}"
                raise FeatvizError(
                    what, setting="objective.level", got=self.level, expected="a number, or more filters"
                )
            self._levels = [known[number] for number in self.filters]

    @override
    def progress(self, maps: Mapping[str, Tensor]) -> Tensor:
        return self._uncapped(maps[self.layer])

    @override
    def fulfilled(self, maps: Mapping[str, Tensor]) -> Tensor:
        activations = self._uncapped(maps[self.layer])
        return activations >= per_picture(self._levels, activations)

    @override
    def __call__(self, maps: Mapping[str, Tensor]) -> Tensor:
        activations = self._uncapped(maps[self.layer])
        return torch.minimum(activations, per_picture(self._levels, activations).to(activations.dtype))

    def _uncapped(self, maps: Tensor) -> Tensor:
        """The mean of the filters, (N,), partly of the middle."""
        if self.center == 0:
            return filter_activations(maps, self.filters)
        starts = [(side - max(side // 2, 1)) // 2 for side in maps.shape[2:]]
        rows, columns = (slice(at, at + max(side // 2, 1)) for at, side in zip(starts, maps.shape[2:], strict=True))
        whole, middle = (filter_activations(each, self.filters) for each in (maps, maps[:, :, rows, columns]))
        return torch.lerp(whole, middle, self.center)

    @override
    def __str__(self) -> str:
        return f"capped({self.layer})"


def photo_levels(folder: Path, backbone: Backbone, layer: str) -> dict[int, float]:
    """The mean of each filter over its strongest photos, from a folder of task=exemplars.

    Raises:
        FeatvizError: there is no such folder, or it is of another network or layer.
    """
    module, checksum = backbone.layers[layer].name, backbone.model.checksum
    if all(row.network != checksum for row in read_statistics(folder)):
        what = f"{folder} holds the photos of another network than {backbone.model.name} with these weights"
        raise FeatvizError(what, setting="objective.level", got=folder)
    rows: dict[int, list[float]] = {}
    for row in read_exemplars(folder):
        if row.module == module:
            rows.setdefault(row.filter, []).append(row.mean)
    if not rows:
        raise FeatvizError(f"{folder} has no photos of {layer} ({module})", setting="objective.level", got=folder)
    return {number: fmean(means) for number, means in rows.items()}
