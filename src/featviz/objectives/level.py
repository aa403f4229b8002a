"""A unit driven to given levels of its activation, a picture for each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from typing_extensions import override

from featviz.errors import FeatvizError, at_least, within
from featviz.objectives.base import per_picture
from featviz.objectives.filters import ScoredChannel
from featviz.photos.tables import read_statistics
from featviz.reading import expanded

if TYPE_CHECKING:
    from featviz.models.backbone import Backbone

LOW, HIGH = 0.01, 0.99  # the quantiles between which a unit's band of answers to photos lies
BELOW, ABOVE = 0.25, 0.5  # of the band: how far levels that are spread evenly go beyond it
SETTING, QUANTILES = "objective.levels", "objective.quantiles"


@dataclass(frozen=True)
class Level(ScoredChannel):
    """The mean of a filter, driven to given levels, one for each of its pictures (variants).

    The score is minus the distance to the level; beyond the level ``beyond`` times that (bioRxiv 2026.08.16.745063,
    parametric-neural-control). Of all steps the picture nearest its level is kept. A picture further away than
    ``tolerance`` of the band is told in the table, with what was reached.

    Args:
        levels: numbers; or how many, evenly over the filter's band, from a quarter of it below to half of it above.
        quantiles: levels as quantiles of the filter's means over photos, 0 to 1.
        photos_from: folder of a run of task=exemplars, whose photos these are. The band goes from the quantile .01 to
            .99; without photos, from the lowest to the highest level.
        beyond: the weight of the distance, once the level is exceeded.
        tolerance: share of the band.

    Raises:
        FeatvizError: there are no levels, or photos are needed to know them.
    """

    levels: int | Sequence[float] | None = None
    quantiles: Sequence[float] | None = None
    photos_from: str | None = None
    beyond: float = 0.1
    tolerance: float = 0.01
    _targets: dict[int, list[float]] = field(init=False, repr=False, default_factory=dict)
    _bands: dict[int, float] = field(init=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse what are no levels."""
        at_least("objective.beyond", self.beyond, 0)
        at_least("objective.tolerance", self.tolerance, 0)
        if (self.levels is None) == (self.quantiles is None):
            what = "objective.levels and objective.quantiles: one of them says which levels there are"
            raise FeatvizError(what, setting=SETTING, got=self.levels)
        if isinstance(self.levels, int):
            at_least(SETTING, self.levels, 2, "numbers, or how many, 2 or more")
        if isinstance(self.levels, list | tuple | str):
            check_numbers(SETTING, self.levels, "numbers, or how many, 2 or more")
        if self.quantiles is not None:
            check_numbers(QUANTILES, self.quantiles, "numbers from 0 to 1")
        for quantile in self.quantiles or ():
            within(QUANTILES, quantile, 0, 1)
        if self.photos_from is None and not isinstance(self.levels, list | tuple):
            hint = "give it on the command line, objective.photos_from=FOLDER of a run of task=exemplars"
            what = f"objective.photos_from is missing, and levels that are no numbers come from photos: {hint}"
            raise FeatvizError(what, setting="objective.photos_from", hint=hint)
        if self.photos_from is None and isinstance(self.levels, list | tuple):
            numbers = [float(level) for level in self.levels]
            for number in self.filters:
                self._know(number, numbers, max(numbers) - min(numbers) or abs(numbers[0]))

    def _know(self, number: int, levels: list[float], band: float) -> None:
        self._targets[number], self._bands[number] = levels, band

    @property
    @override
    def keeps_best(self) -> bool:
        return True

    @property
    @override
    def pictures_per_filter(self) -> int:
        if isinstance(self.levels, int):
            return self.levels
        return len(self.levels if self.quantiles is None and self.levels is not None else self.quantiles or ())

    @property
    @override
    def uses_variants(self) -> bool:
        return self.pictures_per_filter > 1

    @override
    def prepare(self, backbone: Backbone) -> None:
        super().prepare(backbone)
        if self.photos_from is None:
            return
        known = photo_percentiles(expanded(self.photos_from), backbone, self.layer)
        for number in self.filters:
            if number not in known:
                what = f"objective.photos_from: {self.photos_from} has no photos of filter {number} of {self.layer}"
                raise FeatvizError(what, setting="objective.photos_from", got=self.photos_from)
            low, high = (quantile_of(known[number], share) for share in (LOW, HIGH))
            self._know(number, self._levels_in(known[number], low, high), high - low)

    def _levels_in(self, percentiles: Sequence[float], low: float, high: float) -> list[float]:
        if self.quantiles is not None:
            return [quantile_of(percentiles, share) for share in self.quantiles]
        if isinstance(self.levels, int):
            band = high - low
            ends = low - BELOW * band, high + ABOVE * band
            return torch.linspace(*ends, self.levels, dtype=torch.float64).tolist()
        return [float(level) for level in self.levels or ()]

    def _of_pictures(self, like: Tensor) -> tuple[Tensor, Tensor]:
        """The level and the band of each picture, (N,)."""
        numbers = list(self.filters)
        places = [numbers[:at].count(number) for at, number in enumerate(numbers)]
        levels = [self._targets[number][place] for number, place in zip(numbers, places, strict=True)]
        bands = [self._bands[number] for number in numbers]
        return per_picture(levels, like).to(like.dtype), per_picture(bands, like).to(like.dtype)

    @override
    def __call__(self, maps: Mapping[str, Tensor]) -> Tensor:
        activations = self.activation(maps)
        apart = activations - self._of_pictures(activations)[0]
        return torch.where(apart < 0, apart, -self.beyond * apart)

    @override
    def progress(self, maps: Mapping[str, Tensor]) -> Tensor:
        return self.worth(maps)

    @override
    def worth(self, maps: Mapping[str, Tensor]) -> Tensor:
        activations = self.activation(maps)
        return -(activations - self._of_pictures(activations)[0]).abs()

    @override
    def fulfilled(self, maps: Mapping[str, Tensor]) -> Tensor:
        distances = -self.worth(maps)
        return distances <= self.tolerance * self._of_pictures(distances)[1]

    @override
    def columns(self, maps: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {"level": self._of_pictures(maps[self.layer])[0].float()}

    @override
    def remarks(self, maps: Mapping[str, Tensor]) -> list[str]:
        levels, activations = self.columns(maps)["level"].tolist(), self.activation(maps).tolist()
        told = []
        for level, reached, done in zip(levels, activations, self.fulfilled(maps).tolist(), strict=True):
            told.append("" if done else f"level {level:.4g} is not reached: the nearest is {reached:.4g}")
        return told


def check_numbers(setting: str, several: object, expected: str) -> None:
    """Raise FeatvizError for what is no list of numbers, one or more."""
    numbers = several if isinstance(several, list | tuple) else []
    if not numbers or not all(type(number) in (int, float) for number in numbers):
        raise FeatvizError(setting=setting, got=several, expected=expected)


def quantile_of(percentiles: Sequence[float], share: float) -> float:
    """A quantile, 0 to 1, from the percentiles 0 to 100, between them linearly."""
    place = share * (len(percentiles) - 1)
    below = min(int(place), len(percentiles) - 2)
    return percentiles[below] + (place - below) * (percentiles[below + 1] - percentiles[below])


def photo_percentiles(folder: Path, backbone: Backbone, layer: str) -> dict[int, Sequence[float]]:
    """The percentiles 0 to 100 of each filter's means over photos, from a folder of task=exemplars.

    Raises:
        FeatvizError: there is no such folder, or it is of another network or layer.
    """
    module, checksum = backbone.layers[layer].name, backbone.model.checksum
    rows = list(read_statistics(folder))
    if all(row.network != checksum for row in rows):
        what = f"{folder} holds the photos of another network than {backbone.model.name} with these weights"
        raise FeatvizError(what, setting="objective.photos_from", got=folder)
    found: dict[int, Sequence[float]] = {
        row.filter: row.percentiles for row in rows if row.module == module and row.figure == "mean"
    }
    if not found:
        what = f"{folder} has no photos of {layer} ({module})"
        raise FeatvizError(what, setting="objective.photos_from", got=folder)
    return found
