"""Changes applied to the pictures after the optimizer's step. They need pixels (``image=pixel``)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from featviz.errors import FeatvizError


class Projection:
    """Applied after every ``every``-th step; called with pictures (N, C, H, W), gives pictures of that shape."""

    every: int = 1

    def due(self, step: int) -> bool:
        """Whether it is applied after a step counted from 0."""
        return (step + 1) % self.every == 0

    def __call__(self, pictures: Tensor) -> Tensor:
        """Return the changed pictures."""
        raise NotImplementedError


@dataclass(frozen=True)
class Clip(Projection):
    """Values back into [low, high]."""

    low: float = 0.0
    high: float = 1.0
    every: int = 1

    def __post_init__(self) -> None:
        """Refuse an empty range."""
        _check_every("clip", self.every)
        if self.low >= self.high:
            raise FeatvizError(f"clip: low is {self.low}, not below high, {self.high}")

    def __call__(self, pictures: Tensor) -> Tensor:
        """Return the clipped pictures."""
        return pictures.clamp(self.low, self.high)


@dataclass(frozen=True)
class GaussianBlur(Projection):
    """Gaussian blur of ``sigma`` px, cut off at 4 sigma, edges reflected (Yosinski et al. 2015)."""

    sigma: float
    every: int = 1

    def __post_init__(self) -> None:
        """Refuse a blur of no width."""
        _check_every("gaussian_blur", self.every)
        if self.sigma <= 0:
            raise FeatvizError(f"gaussian_blur: sigma is {self.sigma}; expected a number above zero")

    def __call__(self, pictures: Tensor) -> Tensor:
        """Return the blurred pictures."""
        radius = int(4 * self.sigma + 0.5)  # as SciPy rounds it
        at = torch.arange(-radius, radius + 1, device=pictures.device, dtype=pictures.dtype)
        kernel = (-(at**2) / (2 * self.sigma**2)).exp()
        return _separable(pictures, kernel / kernel.sum())


@dataclass(frozen=True)
class BoxBlur(Projection):
    """Mean over a window of ``width`` x ``width`` px, edges reflected without repeating the last pixel."""

    width: int
    every: int = 1

    def __post_init__(self) -> None:
        """Refuse a window without a centre."""
        _check_every("box_blur", self.every)
        if self.width < 1 or self.width % 2 == 0:
            raise FeatvizError(f"box_blur: width is {self.width}; expected an odd number of px")

    def __call__(self, pictures: Tensor) -> Tensor:
        """Return the blurred pictures."""
        return _separable(pictures, torch.full((self.width,), 1 / self.width, device=pictures.device))


def _separable(pictures: Tensor, kernel: Tensor) -> Tensor:
    """Filter rows, then columns, with a kernel of odd length."""
    channels, radius = pictures.shape[1], len(kernel) // 2
    if radius >= min(pictures.shape[2:]):
        raise FeatvizError(f"a blur of radius {radius} px does not fit pictures of {pictures.shape[3]} px")
    row = kernel.view(1, 1, 1, -1).expand(channels, 1, 1, -1)
    padded = F.pad(pictures, (radius, radius, radius, radius), mode="reflect")
    return F.conv2d(F.conv2d(padded, row, groups=channels), row.transpose(2, 3), groups=channels)


def _check_every(name: str, every: int) -> None:
    if every < 1:
        raise FeatvizError(f"{name}: every is {every}; expected 1 (every step) or more")
