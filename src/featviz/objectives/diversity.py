"""Several different pictures of one filter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from typing_extensions import override

from featviz.errors import FeatvizError
from featviz.objectives.filters import PenalizedChannel, places_of_filters

TINY = 1e-12


@dataclass(frozen=True)
class Diversity(PenalizedChannel):
    """The mean of a filter plus ``weight`` times the diversity among the pictures (variants) of the same filter.

    The diversity of a picture is minus the mean cosine between its Gram matrix at ``apart_at`` (null: at the filter's
    layer) and that of each other variant (Olah et al. 2017, distill.pub/2017/feature-visualization, "Diversity").
    Tables show the mean of the filter.
    """

    weight: float = 30.0  # of the order of what a filter's mean reaches
    apart_at: str | None = None

    def __post_init__(self) -> None:
        """Refuse a weight that draws the pictures together."""
        if self.weight < 0:
            raise FeatvizError(setting="objective.weight", got=self.weight, expected="zero or more")

    @property
    @override
    def uses_variants(self) -> bool:
        return True

    @property
    @override
    def layers(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((self.layer, self.apart_at or self.layer)))

    @override
    def __call__(self, maps: Mapping[str, Tensor]) -> Tensor:
        return super().__call__(maps) - self.weight * self._likeness(maps[self.apart_at or self.layer])

    def _likeness(self, maps: Tensor) -> Tensor:
        """The mean cosine of each picture with the other variants of its filter, (N,); zero without others."""
        likeness = maps.new_zeros(len(maps), dtype=torch.float32)
        for places in places_of_filters(self.filters, len(maps)):
            if len(places) > 1:
                cosines = gram_cosines(maps[places].float().flatten(2))
                others = (cosines.sum(1) - cosines.diagonal()) / (len(places) - 1)
                likeness = likeness.index_put((torch.tensor(places, device=maps.device),), others)
        return likeness


def gram_cosines(features: Tensor) -> Tensor:
    """Cosines (k, k) between the Gram matrices of features (k, filters, positions).

    The inner product of two Gram matrices is the sum of squares of the product of their features, which is the smaller
    matrix where there are fewer positions than filters.
    """
    scaled = features / torch.linalg.vector_norm(features, dim=(1, 2), keepdim=True).clamp_min(TINY)
    if features.shape[1] <= features.shape[2]:
        grams = (scaled @ scaled.mT).flatten(1)
        products = grams @ grams.mT
    else:
        products = torch.einsum("icp,jcq->ijpq", scaled, scaled).square().sum((2, 3))
    norms = products.diagonal().clamp_min(TINY).sqrt()
    return products / norms[:, None] / norms
