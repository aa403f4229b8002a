"""A unit against others: of its layer, or the same unit of another network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from typing_extensions import override

from featviz.errors import FeatvizError, above_zero
from featviz.filters import FilterSpec, parse_filters
from featviz.models.layers import Layer
from featviz.objectives.base import Objective, per_picture
from featviz.objectives.filters import Channel, ScoredChannel, check_filters

if TYPE_CHECKING:
    from featviz.models.backbone import Backbone
    from featviz.models.model import Model

TEMPERATURE = "a number above zero, or null"


@dataclass(frozen=True)
class Contrast(ScoredChannel):
    """The mean of a filter against others: what excites it and not them.

    Without a ``temperature`` T the score is the filter's mean minus the mean of the others; with one it is
    ``s / T - logsumexp(all s / T) + log n`` over the n of them, the filter among them: the most discriminative stimulus
    of Burg et al. 2024 (open-retina). Tables show the mean of the filter.

    Args:
        against: the others: numbers of filters; null, all others of the layer; or the name of a layer, whose filter of
            the same number it is: of another network in an ensemble, that makes controversial pictures (Golan et al.
            2020).
        temperature: in the unit of the activations.
    """

    against: Sequence[int] | str | None = None
    temperature: float | None = None

    def __post_init__(self) -> None:
        """Refuse others, or a temperature, that are none."""
        check_against(self.against)
        if self.temperature is not None:
            above_zero("objective.temperature", self.temperature, TEMPERATURE)

    @property
    @override
    def layers(self) -> tuple[str, ...]:
        return (self.layer, self.against) if isinstance(self.against, str) else (self.layer,)

    @override
    def prepare(self, backbone: Backbone) -> None:
        super().prepare(backbone)
        if isinstance(self.against, str):
            check_filters(backbone, self.against, self.filters)
        elif self.against is not None:
            check_filters(backbone, self.layer, self.against)
        elif (backbone.layers[self.layer].channels or 0) < 2:
            what = f"{self.layer} has one filter, and no others"
            raise FeatvizError(what, setting="objective.against", expected="a layer's name")

    @override
    def __call__(self, maps: Mapping[str, Tensor]) -> Tensor:
        own = super().__call__(maps)
        if isinstance(self.against, str):
            others = Channel(self.against, self.filters)(maps)[:, None]
            return against(own, others, torch.ones_like(others, dtype=torch.bool), self.temperature)
        means = maps[self.layer].flatten(2).float().mean(2)
        if self.against is not None:
            means = means[:, list(self.against)]
        numbers = torch.tensor(
            list(range(maps[self.layer].shape[1])) if self.against is None else list(self.against), device=own.device
        )
        counted = means.isfinite()  # a filter that breaks down does not take others along
        return against(own, means, counted & (numbers != per_picture(self.filters, own)[:, None]), self.temperature)


@dataclass(eq=False)
class GroupContrast(Objective):
    """A group of a layer's filters against other groups, a picture for each group of ``groups``.

    The score is that of :class:`Contrast`, of the means over the groups (Burg et al. 2024: functional cell types).
    Tables show the mean of the group.
    """

    layer: str
    filters: Sequence[int]
    groups: Sequence[Sequence[int]]
    temperature: float | None = None

    own_units = True

    def __post_init__(self) -> None:
        """Refuse what are no groups."""
        check_groups(self.groups)
        if self.temperature is not None:
            above_zero("objective.temperature", self.temperature, TEMPERATURE)

    @property
    @override
    def layers(self) -> tuple[str, ...]:
        return (self.layer,)

    @classmethod
    @override
    def units(cls, spec: FilterSpec, layer: Layer, model: Model, seed: int, **settings: Any) -> list[int]:
        check_groups(settings["groups"])
        for group in settings["groups"]:
            parse_filters(list(group), layer.name, layer.channels or 0)
        return list(range(len(settings["groups"])))

    @override
    def prepare(self, backbone: Backbone) -> None:
        for group in self.groups:
            check_filters(backbone, self.layer, group)

    @override
    def activation(self, maps: Mapping[str, Tensor]) -> Tensor:
        means = self._means(maps)
        return means.gather(1, per_picture(self.filters, means)[:, None])[:, 0]

    @override
    def __call__(self, maps: Mapping[str, Tensor]) -> Tensor:
        means = self._means(maps)
        numbers = torch.arange(len(self.groups), device=means.device)
        apart = numbers != per_picture(self.filters, means)[:, None]
        return against(self.activation(maps), means, apart, self.temperature)

    def _means(self, maps: Mapping[str, Tensor]) -> Tensor:
        """Of each group, (N, groups)."""
        means = maps[self.layer].flatten(2).float().mean(2)
        return torch.stack([means[:, list(group)].mean(1) for group in self.groups], 1)

    @override
    def __str__(self) -> str:
        return f"contrast_groups({self.layer})"


def check_against(others: Sequence[int] | str | None) -> None:
    """Raise FeatvizError for what are neither numbers of filters nor a layer's name."""
    expected = "numbers of filters, a layer's name, or null"
    if isinstance(others, list | tuple):
        for number in others:
            if type(number) is not int or number < 0:
                raise FeatvizError(setting="objective.against", got=others, expected=expected)
    if others is not None and not others:
        raise FeatvizError(setting="objective.against", got=others, expected=expected)


def check_groups(groups: Sequence[Sequence[int]]) -> None:
    """Raise FeatvizError for what are not two groups or more, of one filter or more each."""
    expected = "two groups of filters or more, such as [[0,1,2],[5,7]]"
    if not isinstance(groups, list | tuple) or len(groups) < 2:
        raise FeatvizError(setting="objective.groups", got=groups, expected=expected)
    for group in groups:
        if not isinstance(group, list | tuple) or not group or not all(isinstance(each, int) for each in group):
            raise FeatvizError(setting="objective.groups", got=groups, expected=expected)


def against(own: Tensor, means: Tensor, others: Tensor, temperature: float | None) -> Tensor:
    """Scores (N,) of activations ``own`` (N,) against those of ``means`` (N, n) where ``others`` (N, n) is true."""
    if temperature is None:
        return own - torch.where(others, means, 0).sum(1) / others.sum(1).clamp_min(1)
    scaled = torch.where(others, means / temperature, -torch.inf)
    all_of_them = torch.cat([own[:, None] / temperature, scaled], 1)
    count = others.sum(1) + 1
    return own / temperature - all_of_them.logsumexp(1) + count.log()
