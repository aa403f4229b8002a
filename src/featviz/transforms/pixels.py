"""Transforms of pixels' values: noise, color, blur; and whole pictures repeated or rolled over the edge."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from featviz.errors import FeatvizError
from featviz.transforms.base import Transform, above_zero, at_least, generators
from featviz.transforms.blur import gaussian, separable


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

    def __post_init__(self) -> None:
        """Refuse negative noise."""
        at_least("noise.std", self.std, 0)
        at_least("noise.uniform", self.uniform, 0)
        at_least("noise.end", self.end or 0, 0)
        above_zero("noise.span", self.span)

    def __call__(self, pictures: Tensor, draws: Tensor, progress: float = 0.0) -> Tensor:
        """Return the noisy pictures; numbers are drawn on the CPU, so that they are the same on every device."""
        std = self.std if self.end is None else self.std + (self.end - self.std) * progress
        noise = torch.empty(*pictures.shape[:2], *([1, 1] if self.per_channel else pictures.shape[2:]))
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

    def __call__(self, pictures: Tensor, draws: Tensor, progress: float = 0.0) -> Tensor:
        """Return the shifted pictures."""
        channels = pictures.shape[1]
        drawn = torch.stack([torch.rand(2, channels, generator=generator) for generator in generators(draws)])
        centered = (2 * drawn - 1)[..., None, None].to(pictures, non_blocking=True)
        return (pictures - self.mean * centered[:, 0]) / (self.std * centered[:, 1]).exp()


@dataclass
class Blur(Transform):
    """Gaussian blur of a width drawn evenly between ``low`` and ``high`` px, edges reflected.

    The kernel has ``kernel`` px (one of an even number moves the picture by half a pixel), or reaches to 4 ``high``
    where that is null.
    """

    low: float
    high: float
    kernel: int | None = None
    draws = 1

    def __post_init__(self) -> None:
        """Refuse a blur of no width."""
        above_zero("blur.low", self.low)
        if self.low > self.high:
            raise FeatvizError(f"blur.low is {self.low}, above blur.high, {self.high}")
        if self.kernel is not None:
            at_least("blur.kernel", self.kernel, 1)

    def __call__(self, pictures: Tensor, draws: Tensor, progress: float = 0.0) -> Tensor:
        """Return the blurred pictures."""
        sigma = self.low + (self.high - self.low) * draws[:, 0]
        kernels = gaussian(sigma, self.kernel or 2 * int(4 * self.high + 0.5) + 1)
        return separable(pictures, kernels.to(pictures, non_blocking=True))


@dataclass
class Roll(Transform):
    """Move by whole pixels, at most ``pixels`` each way; what leaves at one edge comes in at the other (DeepDream)."""

    pixels: int
    draws = 2

    def __post_init__(self) -> None:
        """Refuse a negative roll."""
        at_least("roll.pixels", self.pixels, 0)

    def __call__(self, pictures: Tensor, draws: Tensor, progress: float = 0.0) -> Tensor:
        """Return the rolled pictures."""
        shifts = ((draws * (2 * self.pixels + 1)).floor() - self.pixels).long().tolist()
        rolled = [picture.roll((down, right), (1, 2)) for picture, (right, down) in zip(pictures, shifts, strict=True)]
        return torch.stack(rolled)


@dataclass
class Copies(Transform):
    """``count`` copies of each picture, so that each has transforms of its own; their scores are averaged."""

    count: int

    def __post_init__(self) -> None:
        """Refuse no copies."""
        at_least("copies.count", self.count, 1)
        self.copies = self.count

    def __call__(self, pictures: Tensor, draws: Tensor, progress: float = 0.0) -> Tensor:
        """Return the copies, (count * N, C, H, W)."""
        return pictures.repeat(self.count, 1, 1, 1)
