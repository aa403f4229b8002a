"""Changes applied to the pictures after the optimizer's step. They need pixels (``image=pixel``).

Whatever the image's own ``space`` is, a projection is handed pictures in the unit of [0, 1]. One that has a zero (a
norm to be kept, a decay towards it) says where that is by its own ``space``: in ``model`` pictures are first normalized
by the network's mean and std, so that zero is the data's mean, and afterwards taken back; in ``picture`` zero is black.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor
from typing import Any

import torch
from torch import Tensor
from typing_extensions import override

from featviz.errors import FeatvizError, above_zero, at_least, one_of, within
from featviz.models.frames import axes_of
from featviz.transforms.blur import gaussian_blurred, separable

SPACES = ("model", "picture")
EVERY = "1 (every step) or more"


class Projection:
    """Applied after every ``every``-th step; called with pictures (N, C, H, W), or films, gives pictures of that shape.

    One that ``needs_gradient`` is called with the step's gradient of the loss by the pictures too.
    """

    every: int = 1
    space: str = "picture"
    needs_gradient: bool = False

    def due(self, step: int) -> bool:
        """Whether it is applied after a step counted from 0."""
        return (step + 1) % self.every == 0

    def __call__(self, pictures: Tensor, gradient: Tensor | None = None) -> Tensor:
        """Return the changed pictures."""
        raise NotImplementedError

    def applied(
        self, pictures: Tensor, mean: Tensor, std: Tensor, gradient: Tensor | None = None, normalized: bool = False
    ) -> Tensor:
        """Apply it in its own space to pictures in [0, 1] of a network's ``mean`` and ``std``, (1, C, 1, 1).

        ``normalized`` ones are those of a network of mean 0 and std 1: both spaces are the same.
        """
        moves = self.space == "model" and not normalized
        if moves:
            pictures, gradient = (pictures - mean) / std, None if gradient is None else gradient * std
        changed = self(pictures, gradient) if self.needs_gradient else self(pictures)
        return changed * std + mean if moves else changed


@dataclass(frozen=True)
class Clip(Projection):
    """Values back into [low, high], each a number for all channels or one for each."""

    low: float | Sequence[float] = 0.0
    high: float | Sequence[float] = 1.0
    space: str = "picture"
    every: int = 1

    def __post_init__(self) -> None:
        """Refuse an empty range."""
        at_least("clip.every", self.every, 1, EVERY)
        one_of("clip.space", self.space, SPACES)
        lows: list[Any] = [self.low] if isinstance(self.low, int | float) else list(self.low)
        highs: list[Any] = [self.high] if isinstance(self.high, int | float) else list(self.high)
        for number in [*lows, *highs]:
            if not isinstance(number, int | float):
                expected = "a number, or a list of one for each channel"
                raise FeatvizError(setting="clip.low", got=number, expected=expected)
        count = max(len(lows), len(highs))
        if min(len(lows), len(highs)) not in (1, count):
            what = f"clip: low has {len(lows)} numbers, and high {len(highs)}"
            raise FeatvizError(what, setting="clip.low", got=self.low)
        lows = lows * (count // len(lows))
        highs = highs * (count // len(highs))
        for low, high in zip(lows, highs, strict=True):
            if low >= high:
                what = f"clip: low is {low}, not below high, {high}"
                raise FeatvizError(what, setting="clip.low", got=low)

    @override
    def __call__(self, pictures: Tensor, gradient: Tensor | None = None) -> Tensor:
        low, high = (for_channels(ends, pictures, f"clip.{name}") for name, ends in self._ends)
        return pictures.clamp(low, high)

    @property
    def _ends(self) -> tuple[tuple[str, float | Sequence[float]], ...]:
        return ("low", self.low), ("high", self.high)


@dataclass(frozen=True)
class GaussianBlur(Projection):
    """Gaussian blur of ``sigma`` px, cut off at 4 sigma (Yosinski et al. 2015, arXiv 1506.06579).

    It comes for the first time after step ``first``, where that is not null, instead of step ``every``. Edges are
    reflected, with ``repeat_edge`` so that the last pixel comes twice (SciPy's ``reflect``; without it, ``mirror``).
    """

    sigma: float
    every: int = 1
    first: int | None = None
    repeat_edge: bool = False

    def __post_init__(self) -> None:
        """Refuse a blur of no width."""
        at_least("gaussian_blur.every", self.every, 1, EVERY)
        if self.first is not None:
            at_least("gaussian_blur.first", self.first, 1, "the number of a step, from 1, or null")
        above_zero("gaussian_blur.sigma", self.sigma)

    @override
    def due(self, step: int) -> bool:
        if self.first is None:
            return super().due(step)
        return step + 1 >= self.first and (step + 1 - self.first) % self.every == 0

    @override
    def __call__(self, pictures: Tensor, gradient: Tensor | None = None) -> Tensor:
        return gaussian_blurred(pictures, self.sigma, self.repeat_edge)


@dataclass(frozen=True)
class BoxBlur(Projection):
    """Mean over a window of ``width`` x ``width`` px, edges reflected without repeating the last pixel."""

    width: int
    every: int = 1

    def __post_init__(self) -> None:
        """Refuse a window without a center."""
        at_least("box_blur.every", self.every, 1, EVERY)
        if self.width < 1 or self.width % 2 == 0:
            raise FeatvizError(setting="box_blur.width", got=self.width, expected="an odd number of px")

    @override
    def __call__(self, pictures: Tensor, gradient: Tensor | None = None) -> Tensor:
        return separable(pictures, pictures.new_full((self.width,), 1 / self.width))


@dataclass(frozen=True)
class NormBall(Projection):
    """Scale each picture to the L2 norm ``rho`` (Erhan et al. 2009, technical report 1341).

    Where ``rho`` is null it is the square root of the number of values: in the space ``model`` the norm of data of
    mean 0 and deviation 1, at every size.
    """

    rho: float | None = None
    space: str = "model"
    every: int = 1

    def __post_init__(self) -> None:
        """Refuse a ball of no size."""
        at_least("norm_ball.every", self.every, 1, EVERY)
        one_of("norm_ball.space", self.space, SPACES)
        if self.rho is not None:
            above_zero("norm_ball.rho", self.rho, "a number above zero, or null")

    @override
    def __call__(self, pictures: Tensor, gradient: Tensor | None = None) -> Tensor:
        """Return the scaled pictures; one that is all zero stays so."""
        rho = pictures[0].numel() ** 0.5 if self.rho is None else self.rho
        norms = torch.linalg.vector_norm(pictures, dim=axes_of(pictures), keepdim=True)
        return pictures / norms.clamp_min(torch.finfo(pictures.dtype).tiny) * rho


@dataclass(frozen=True)
class Decay(Projection):
    """A share ``rate`` of the way to zero (Yosinski et al. 2015, arXiv 1506.06579)."""

    rate: float
    space: str = "model"
    every: int = 1

    def __post_init__(self) -> None:
        """Refuse a decay that overshoots."""
        at_least("decay.every", self.every, 1, EVERY)
        one_of("decay.space", self.space, SPACES)
        within("decay.rate", self.rate, 0, 1)

    @override
    def __call__(self, pictures: Tensor, gradient: Tensor | None = None) -> Tensor:
        return pictures * (1 - self.rate)


@dataclass(frozen=True)
class SmallNorm(Projection):
    """To zero the pixels whose norm over the channels is below the ``percentile`` of their picture.

    Yosinski et al. 2015 (arXiv 1506.06579).
    """

    percentile: float
    space: str = "model"
    every: int = 1

    def __post_init__(self) -> None:
        """Refuse what is no percentile."""
        at_least("small_norm.every", self.every, 1, EVERY)
        one_of("small_norm.space", self.space, SPACES)
        within("small_norm.percentile", self.percentile, 0, 100)

    @override
    def __call__(self, pictures: Tensor, gradient: Tensor | None = None) -> Tensor:
        return _without_small(pictures, torch.linalg.vector_norm(pictures, dim=1), self.percentile)


@dataclass(frozen=True)
class SmallContribution(Projection):
    """To zero the pixels that matter least: whose contribution is below the ``percentile`` of their picture.

    A pixel's contribution is ``|sum over channels of pixel * gradient|``, what the score would lose without it, to
    first order (Yosinski et al. 2015, arXiv 1506.06579).
    """

    percentile: float
    space: str = "model"
    every: int = 1
    needs_gradient = True

    def __post_init__(self) -> None:
        """Refuse what is no percentile."""
        at_least("small_contribution.every", self.every, 1, EVERY)
        one_of("small_contribution.space", self.space, SPACES)
        within("small_contribution.percentile", self.percentile, 0, 100)

    @override
    def __call__(self, pictures: Tensor, gradient: Tensor | None = None) -> Tensor:
        """Return the sparser pictures; without a gradient nothing can be told, and they stay as they are."""
        if gradient is None:
            return pictures
        return _without_small(pictures, (pictures * gradient).sum(1).abs(), self.percentile)


def for_channels(numbers: float | Sequence[float], pictures: Tensor, setting: str) -> Tensor:
    """Numbers in a shape that goes with pictures (N, C, ...): one for all channels, or one for each.

    Raises:
        FeatvizError: there are as many as neither.
    """
    values = torch.as_tensor(numbers, dtype=pictures.dtype, device=pictures.device).reshape(-1)
    if len(values) not in (1, pictures.shape[1]):
        what = f"{setting} has {len(values)} numbers, but the network takes {pictures.shape[1]} channels"
        raise FeatvizError(what, setting=setting, got=numbers)
    return values.view(1, -1, *[1] * (pictures.ndim - 2))


def _without_small(pictures: Tensor, sizes: Tensor, percentile: float) -> Tensor:
    """Pictures with zero where ``sizes`` (N, H, W) are below their picture's percentile, interpolated as NumPy's."""
    # Not torch.quantile: it takes no more than 2 ** 24 numbers, and rounds the place in 32 bits.
    ordered = sizes.flatten(1).sort(1).values
    place = percentile / 100 * (ordered.shape[1] - 1)
    below, above = ordered[:, floor(place)], ordered[:, ceil(place)]
    least = below + (above - below) * (place - floor(place))
    small = sizes < least.view(-1, *[1] * (sizes.ndim - 1))
    return torch.where(small[:, None], torch.zeros_like(pictures), pictures)
