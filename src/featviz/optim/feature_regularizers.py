"""Penalties on what the network makes of the pictures, one number for each, added to the loss."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from typing_extensions import override

from featviz.errors import FeatvizError, at_least
from featviz.models.backbone import Backbone


class FeatureRegularizer:
    """Called with what the backbone returns of pictures, {layer: (N, filters, h, w)}; gives penalties (N,).

    Pictures come as the transforms have changed them; of several copies the mean penalty counts, as with scores.
    """

    #: Whether it is also called with moments of what goes into batch norms: see ``Backbone.running_moments``.
    needs_moments = False

    def check(self, backbone: Backbone, setting: str) -> None:
        """Raise FeatvizError, naming the regularizer's ``setting``, where the network lacks what it needs."""

    def __call__(self, maps: Mapping[str, Tensor], backbone: Backbone) -> Tensor:
        """Return penalties (N,)."""
        raise NotImplementedError


@dataclass(frozen=True)
class BatchNormDistance(FeatureRegularizer):
    """``weight`` times how far a picture's channels are from what batch norms saw in training (DeepInversion).

    Of what goes into each batch norm before the layer, mean and variance over positions are compared with the norm's
    running mean and variance (Yin et al. 2020, arXiv 1912.08795). There they are those of a batch; here each picture's
    are its own, so that pictures do not meet.

    Args:
        weight: of the penalty.
        standardized: True takes differences of means in running standard deviations, differences of variances in
            running variances, their root mean square over the channels, and the mean over batch norms: all channels
            weigh alike, and a weight means the same in every network. False takes the network's own units, L2 norms
            over the channels and the sum over batch norms, as the paper does.
    """

    weight: float = 1.0
    standardized: bool = True

    needs_moments = True

    def __post_init__(self) -> None:
        """Refuse a weight that drives pictures away."""
        at_least("regularizers.batch_norm.weight", self.weight, 0)

    @override
    def check(self, backbone: Backbone, setting: str) -> None:
        if not backbone.running_moments:
            what = f"{setting}: {backbone.model.name} has no batch norms with running statistics before the layer"
            raise FeatvizError(what, setting=setting, expected="another network, or a later layer")

    @override
    def __call__(self, maps: Mapping[str, Tensor], backbone: Backbone) -> Tensor:
        distances = []
        for key, running in backbone.running_moments.items():
            if key in maps:
                mean, var = (maps[key] - torch.stack([running.mean, running.var])).unbind(1)
                distances.append(
                    _root_mean_square(mean / running.std) + _root_mean_square(var / running.std.square())
                    if self.standardized
                    else torch.linalg.vector_norm(mean, dim=1) + torch.linalg.vector_norm(var, dim=1)
                )
        each = torch.stack(distances)
        return self.weight * (each.mean(0) if self.standardized else each.sum(0))


def _root_mean_square(numbers: Tensor) -> Tensor:
    """Over channels, (N, channels) to (N,); its gradient is finite at zero, too."""
    scaled: Tensor = torch.linalg.vector_norm(numbers, dim=1) / numbers.shape[1] ** 0.5
    return scaled
