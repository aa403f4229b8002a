"""Random numbers added to pixels, or to whole channels."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from typing_extensions import override

from featviz.errors import above_zero, at_least
from featviz.transforms.base import Transform, generators


@dataclass
class Noise(Transform):
    """Normal noise of deviation ``std``, plus even noise between -``uniform`` and ``uniform``.

    The deviation goes linearly to ``end`` over the run, unless that is null. The numbers are divided by ``span``: where
    a source's pictures run from a to b, its numbers are in that unit, and ``span`` is b - a. With ``per_channel`` there
    is one number for each channel, not for each pixel.
    """

    std: float
    uniform: float = 0.0
    end: float | None = None
    span: float = 1.0
    per_channel: bool = False
    draws = 2
    takes_films = True

    def __post_init__(self) -> None:
        """Refuse negative noise."""
        at_least("noise.std", self.std, 0)
        at_least("noise.uniform", self.uniform, 0)
        at_least("noise.end", self.end or 0, 0)
        above_zero("noise.span", self.span)

    @override
    def __call__(self, pictures: Tensor, draws: Tensor, progress: float = 0.0) -> Tensor:
        std = self.std if self.end is None else self.std + (self.end - self.std) * progress
        noise = torch.empty(
            *pictures.shape[:2], *([1] * (pictures.ndim - 2) if self.per_channel else pictures.shape[2:])
        )
        for one, generator in zip(noise, generators(draws), strict=True):
            one.normal_(std=std, generator=generator)
            if self.uniform:
                one += torch.empty_like(one).uniform_(-self.uniform, self.uniform, generator=generator)
        return pictures + (noise / self.span).to(pictures, non_blocking=True)


@dataclass
class ColorShift(Transform):
    """Each channel minus a number from -``mean`` to ``mean``, over e to a number from -``std`` to ``std``.

    Ghiasi et al. 2022 (arXiv 2212.06727, their ColorJitter).
    """

    mean: float = 1.0
    std: float = 1.0
    draws = 2

    def __post_init__(self) -> None:
        """Refuse negative ranges."""
        at_least("color_shift.mean", self.mean, 0)
        at_least("color_shift.std", self.std, 0)

    @override
    def __call__(self, pictures: Tensor, draws: Tensor, progress: float = 0.0) -> Tensor:
        channels = pictures.shape[1]
        drawn = torch.stack([torch.rand(2, channels, generator=generator) for generator in generators(draws)])
        centered = (2 * drawn - 1)[..., None, None].to(pictures, non_blocking=True)
        return (pictures - self.mean * centered[:, 0]) / (self.std * centered[:, 1]).exp()
