"""A filter against the strongest other filters of its layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from typing_extensions import override

from featviz.errors import above_zero, within
from featviz.models.frames import axes_of
from featviz.models.reference_noise import noise_moments
from featviz.objectives.base import per_picture
from featviz.objectives.filters import PenalizedChannel

if TYPE_CHECKING:
    from featviz.models.backbone import Backbone


@dataclass(frozen=True)
class Margin(PenalizedChannel):
    """The mean of a filter minus ``share`` of the strongest other filters' of its layer: what excites it and not them.

    Early filters have much in common, so that a picture made for the mean alone may excite another one more. To be
    comparable, means z are taken as deviations from those on noise with a natural spectrum, in standard deviations. The
    score is ``z - share * T * logsumexp(z of the others / T)``. Tables show the mean of the filter.

    Args:
        share: of the others; with 0 only the filter itself counts.
        temperature: T, in standard deviations: the smaller, the more the strongest of the others alone counts.
        to_stride: layers with a position at each so many px at most are treated so, the others as by ``Channel``; None:
            all layers are.
    """

    share: float = 0.3
    temperature: float = 10.0
    to_stride: int | None = None
    _on_noise: list[tuple[Tensor, Tensor]] = field(default_factory=list, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Refuse what is no share, or no stride."""
        within("objective.share", self.share, 0, 1)
        above_zero("objective.temperature", self.temperature)
        if self.to_stride is not None:
            above_zero("objective.to_stride", self.to_stride)

    @property
    @override
    def acts_as(self) -> str | None:
        return None if self._on_noise else "channel"

    @property
    @override
    def filters_read(self) -> Sequence[int] | None:
        return None if self._on_noise else self.filters

    @override
    def prepare(self, backbone: Backbone) -> None:
        super().prepare(backbone)
        layer, size = backbone.layers[self.layer], backbone.trace.size
        stride = layer.stride(size)
        early = self.to_stride is None or (stride is not None and stride <= self.to_stride)
        has_others = (layer.channels or 0) > 1
        self._on_noise[:] = [_finite(*noise_moments(backbone, self.layer, size))] if early and has_others else []

    @override
    def __call__(self, maps: Mapping[str, Tensor]) -> Tensor:
        if not self._on_noise:
            return self.activation(maps)
        seen = maps[self.layer].float()
        mean, std = (each.to(seen) for each in self._on_noise[0])
        scores = (seen.mean(axes_of(seen)[1:]) - mean) / std
        own = per_picture(self.filters, scores)[:, None]
        counted = scores.isfinite().scatter(1, own, False)  # a filter that breaks down does not take others along
        others = torch.where(counted, scores / self.temperature, -torch.inf).logsumexp(1) * self.temperature
        return scores.gather(1, own)[:, 0] - self.share * others


def _finite(mean: Tensor, std: Tensor) -> tuple[Tensor, Tensor]:
    """Moments on noise, 0 and 1 where they are not finite: dividing by what is none would break all gradients."""
    known = mean.isfinite() & std.isfinite()
    return torch.where(known, mean, 0.0), torch.where(known, std, 1.0)
