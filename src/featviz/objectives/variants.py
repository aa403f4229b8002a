"""Several pictures of a unit that are as unlike as can be, while each excites it nearly as much as the best."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from typing_extensions import override

from featviz.errors import at_least, within
from featviz.objectives.base import PIXELS
from featviz.objectives.filters import PenalizedChannel, places_of_filters

MARGIN = 0.02  # of the best activation, above the floor: where pictures are held back
TINY = 1e-12
LAST = 0.2  # share of the steps at the end, of which the best pictures are kept: by then the best one has come up


@dataclass(frozen=True)
class Variants(PenalizedChannel):
    """Pictures (variants) of a filter, pushed apart under a floor of its activation.

    Ding et al. 2026 (s41593-026-02213-3). The first picture is the best one: its score is the mean of the filter. That
    of the others is their distance to the nearest other picture of the filter, as long as their mean is above the
    ``floor``, a share of the best one's; below it, ``weight`` times what is missing is taken off. Distances are
    1 - cosine, of what the network sees (``apart_at: pixels``) or of the feature maps of a layer. Tables show the mean
    of the filter, and ``diversity_index``: see :func:`diversity_index`.
    """

    floor: float = 0.85
    apart_at: str = PIXELS
    weight: float = 10.0

    def __post_init__(self) -> None:
        """Refuse what is no share."""
        within("objective.floor", self.floor, 0, 1, "a share of the best picture's activation, from 0 to 1")
        at_least("objective.weight", self.weight, 0)

    @property
    @override
    def keeps_best(self) -> bool:
        return True

    @property
    @override
    def keeps_from(self) -> float:
        return 1 - LAST

    @property
    @override
    def uses_variants(self) -> bool:
        return True

    @property
    @override
    def needs_pixels(self) -> bool:
        return True

    @property
    @override
    def layers(self) -> tuple[str, ...]:
        return (self.layer,) if self.apart_at == PIXELS else tuple(dict.fromkeys((self.layer, self.apart_at)))

    @override
    def __call__(self, maps: Mapping[str, Tensor]) -> Tensor:
        activations, features = self.activation(maps), maps[self.apart_at].flatten(1).float()
        scores = activations
        for places in places_of_filters(self.filters, len(activations)):
            others = torch.tensor(places[1:], device=activations.device)
            if len(others):
                share = activations[others] / _size(activations[places[0]].detach())
                missing = (self.floor + MARGIN - share).clamp_min(0)
                nearest = distances(
                    features[others], features[places].detach(), torch.arange(1, len(places)).to(others)
                ).amin(1)
                scores = scores.index_put((others,), nearest - self.weight * missing)
        return scores

    @override
    def worth(self, maps: Mapping[str, Tensor]) -> Tensor:
        activations, features = self.activation(maps), maps[self.apart_at].flatten(1).float()
        worth = activations.clone()
        for places in places_of_filters(self.filters, len(activations)):
            lowest = (activations[places] / _size(activations[places].max())).min()
            apart = distances(features[places], features[places], torch.arange(len(places)).to(lowest.device))
            spread = apart.amin(1).mean() if len(places) > 1 else lowest
            worth[places] = spread if lowest >= self.floor else lowest - 2  # cosines reach from -1 to 1
        return worth

    @override
    def columns(self, maps: Mapping[str, Tensor]) -> dict[str, Tensor]:
        activations = self.activation(maps)
        index = torch.full_like(activations, torch.nan)
        for places in places_of_filters(self.filters, len(activations)):
            if len(places) > 1:
                index[places] = diversity_index(maps[PIXELS][places], self.floor)
        return {"diversity_index": index}

    @override
    def remarks(self, maps: Mapping[str, Tensor]) -> list[str]:
        activations, told = self.activation(maps), [""] * len(maps[self.layer])
        for places in places_of_filters(self.filters, len(activations)):
            shares = (activations[places] / _size(activations[places].max())).tolist()
            for at, share in zip(places, shares, strict=True):
                if share < self.floor:
                    told[at] = f"below the floor: {share:.3g} of the best picture's activation"
        return told


def _size(activation: Tensor) -> Tensor:
    return activation.abs().clamp_min(TINY)


def distances(features: Tensor, others: Tensor, own: Tensor) -> Tensor:
    """1 - cosine of features (n, d) to others (m, d), (n, m); to the one at its ``own`` place (n,) it is 2."""
    scaled = [each / torch.linalg.vector_norm(each, dim=1, keepdim=True).clamp_min(TINY) for each in (features, others)]
    apart = 1 - scaled[0] @ scaled[1].T
    return apart.scatter(1, own[:, None], 2.0)


def diversity_index(pictures: Tensor, floor: float) -> Tensor:
    """How diverse n pictures (n, ...) of a unit are: 0 as those of a simple cell at most, 1 as those of a complex cell.

    It is their mean pairwise distance (1 - cosine, of what the network sees), scaled after Ding et al. 2026. A simple
    cell's pictures at the share f of its highest activation have the cosine f with its filter, and differ in the rest,
    so that their mean distance is (1 - f^2) n / (n - 1) at most. A complex cell's pictures may have any phase: they
    reach n / (n - 1), the most that n directions can have.
    """
    count = len(pictures)
    apart = distances(pictures.flatten(1).float(), pictures.flatten(1).float(), torch.arange(count).to(pictures.device))
    mean = (apart.sum() - 2 * count) / (count * (count - 1))
    return (((count - 1) / count * mean - (1 - floor**2)) / floor**2 if floor else mean * 0).clamp(0, 1)
