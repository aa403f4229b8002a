"""Transforms that only move pixels: neighboring ones are composed and resample the picture once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, Self

import torch
from torch import Tensor

from featviz.errors import FeatvizError
from featviz.transforms.base import GRAY, Transform, above_zero, at_least
from featviz.transforms.sampling import sample


class Geometric(Transform):
    """A transform that only moves pixels. Coordinates are px from the canvas's center."""

    def matrix(self, draws: Tensor) -> Tensor:
        """For each picture, where a point of the new canvas lies on the old one: (N, 2, 3), rows x and y."""
        raise NotImplementedError

    def __call__(self, pictures: Tensor, draws: Tensor, progress: float = 0.0) -> Tensor:
        """Apply it alone."""
        return resample([self.for_pictures(pictures.shape[-1])], pictures, draws)


@dataclass
class Pad(Geometric):
    """A border of ``pixels`` px of the value ``fill``, which also fills what rotation and scaling uncover.

    Where ``at`` is given, ``pixels`` are meant for pictures of that size, and change in proportion.
    """

    pixels: int
    fill: float = GRAY
    at: int | None = None

    def __post_init__(self) -> None:
        """Refuse a negative border."""
        at_least("pad.pixels", self.pixels, 0)
        _check_at("pad", self.at)

    def for_pictures(self, size: int) -> Self:
        """Change ``pixels`` in proportion."""
        return replace(self, pixels=_in_proportion(self.pixels, self.at, size), at=None)

    def canvas(self, size: int) -> int:
        """The side grows at both ends."""
        return size + 2 * self.pixels

    def matrix(self, draws: Tensor) -> Tensor:
        """The center stays where it is."""
        return _matrix(torch.ones(len(draws)))


@dataclass
class Jitter(Geometric):
    """A random crop, ``pixels`` px smaller than the canvas, at whole pixels.

    Where ``at`` is given, ``pixels`` are meant for pictures of that size, and change in proportion.
    """

    pixels: int
    at: int | None = None
    draws = 2

    def __post_init__(self) -> None:
        """Refuse a negative jitter."""
        at_least("jitter.pixels", self.pixels, 0)
        _check_at("jitter", self.at)

    def for_pictures(self, size: int) -> Self:
        """Change ``pixels`` in proportion."""
        return replace(self, pixels=_in_proportion(self.pixels, self.at, size), at=None)

    def canvas(self, size: int) -> int:
        """The side of the crop."""
        if size <= self.pixels:
            raise FeatvizError(f"transforms: a jitter of {self.pixels} px leaves nothing of a picture of {size} px")
        return size - self.pixels

    def matrix(self, draws: Tensor) -> Tensor:
        """Shift by the crop's offset, of which 0 and ``pixels`` are the ends."""
        offset = (draws * (self.pixels + 1)).floor() - self.pixels / 2
        return _matrix(torch.ones_like(draws[:, 0]), shift=offset)


@dataclass
class Shift(Geometric):
    """Move by whole pixels, at most ``pixels`` each way; the canvas keeps its side.

    ``times`` one after another: the sum of many is nearly normal (pytorch/captum).
    """

    pixels: int
    times: int = 1

    def __post_init__(self) -> None:
        """Refuse a negative shift."""
        at_least("shift.pixels", self.pixels, 0)
        at_least("shift.times", self.times, 1)
        self.draws = 2 * self.times

    def matrix(self, draws: Tensor) -> Tensor:
        """Shift by the sum."""
        steps = (draws * (2 * self.pixels + 1)).floor() - self.pixels
        return _matrix(torch.ones_like(draws[:, 0]), shift=steps.view(len(draws), self.times, 2).sum(1))


@dataclass
class Scale(Geometric):
    """Zoom about the center by one of ``factors``; the canvas keeps its side."""

    factors: Sequence[float]
    draws = 1

    def __post_init__(self) -> None:
        """Refuse factors that are not above zero."""
        self.factors = list(self.factors)  # Hydra's own lists are slow
        if not self.factors or min(self.factors) <= 0:
            raise FeatvizError(f"scale.factors is {list(self.factors)}; expected numbers above zero")

    def matrix(self, draws: Tensor) -> Tensor:
        """A point of the zoomed canvas lies nearer to the center of the old one by the factor."""
        return _matrix(1 / _choose(self.factors, draws[:, 0]))


@dataclass
class ScaleBetween(Geometric):
    """Zoom about the center by a factor drawn evenly between ``low`` and ``high``; the canvas keeps its side.

    Where not ``same``, width and height have a factor each.
    """

    low: float
    high: float
    same: bool = True
    draws = 2

    def __post_init__(self) -> None:
        """Refuse factors that are not above zero."""
        above_zero("scale.low", self.low)
        _check_range("scale", self.low, self.high)

    def matrix(self, draws: Tensor) -> Tensor:
        """A point of the zoomed canvas lies nearer to the center of the old one by the factor."""
        drawn = draws[:, [0, 0]] if self.same else draws
        factors = self.low + (self.high - self.low) * drawn
        return torch.cat([torch.diag_embed(1 / factors), torch.zeros(len(draws), 2, 1)], 2)


@dataclass
class Rotate(Geometric):
    """Turn about the center by one of ``degrees``, counter-clockwise."""

    degrees: Sequence[float]
    draws = 1

    def __post_init__(self) -> None:
        """Refuse an empty choice."""
        self.degrees = list(self.degrees)
        if not self.degrees:
            raise FeatvizError("rotate.degrees is empty; expected angles such as [-10, 0, 10]")

    def matrix(self, draws: Tensor) -> Tensor:
        """Rotation; y points down."""
        return _rotation(_choose(self.degrees, draws[:, 0]))


@dataclass
class RotateBetween(Geometric):
    """Turn about the center by an angle drawn evenly between ``low`` and ``high`` degrees, counter-clockwise."""

    low: float
    high: float
    draws = 1

    def __post_init__(self) -> None:
        """Refuse an empty range."""
        _check_range("rotate", self.low, self.high)

    def matrix(self, draws: Tensor) -> Tensor:
        """Rotation; y points down."""
        return _rotation(self.low + (self.high - self.low) * draws[:, 0])


@dataclass
class Flip(Geometric):
    """Mirror left and right with the ``probability`` given."""

    probability: float = 0.5
    draws = 1

    def __post_init__(self) -> None:
        """Refuse what is no probability."""
        if not 0 <= self.probability <= 1:
            raise FeatvizError(f"flip.probability is {self.probability}; expected a number from 0 to 1")

    def matrix(self, draws: Tensor) -> Tensor:
        """The sign of x."""
        rows = _matrix(torch.ones(len(draws)))
        rows[:, 0, 0] -= 2 * (draws[:, 0] < self.probability)
        return rows


class Composed(NamedTuple):
    """Geometric transforms as a single bilinear interpolation: what ``sample`` takes beside the pictures."""

    matrices: Tensor
    side: int
    fill: float


def composed(steps: Sequence[Geometric], height: int, width: int, draws: Tensor) -> Composed:
    """Compose geometric transforms, one after another, of pictures of height x width px by their draws (N, draws)."""
    side, fill, used = width, GRAY, 0
    whole = torch.eye(3).expand(len(draws), 3, 3)
    for step in steps:
        side = step.canvas(side)
        row = torch.tensor([0.0, 0.0, 1.0]).expand(len(draws), 1, 3)
        whole = whole @ torch.cat([step.matrix(draws[:, used : used + step.draws]), row], 1)
        used += step.draws
        fill = step.fill if isinstance(step, Pad) else fill
    return Composed(_from_corners(whole[:, :2], side, height, width), side, fill)


def resample(steps: Sequence[Geometric], pictures: Tensor, draws: Tensor) -> Tensor:
    """Apply geometric transforms one after another with a single bilinear interpolation."""
    height, width = pictures.shape[2:]
    return sample(pictures, *composed(steps, height, width, draws))


def _from_corners(matrices: Tensor, side: int, height: int, width: int) -> Tensor:
    """Matrices (N, 2, 3) between columns and rows, which are counted from the corner, not from the centers."""
    exact = matrices.double()
    shift = exact[:, :, 2] - exact[:, :, :2].sum(2) * (side - 1) / 2
    shift += (torch.tensor([width, height]) - 1) / 2
    return torch.cat([exact[:, :, :2], shift[:, :, None]], 2).float()


def _matrix(cosine: Tensor, sine: Tensor | None = None, shift: Tensor | None = None) -> Tensor:
    """Rows of (N, 2, 3) from a rotation or zoom (N,) and a shift (N, 2)."""
    sine = torch.zeros_like(cosine) if sine is None else sine
    shift = torch.zeros(len(cosine), 2) if shift is None else shift
    rows = (torch.stack([cosine, -sine, shift[:, 0]], 1), torch.stack([sine, cosine, shift[:, 1]], 1))
    return torch.stack(rows, 1)


def _rotation(degrees: Tensor) -> Tensor:
    angle = degrees * (math.pi / 180)
    return _matrix(angle.cos(), angle.sin())


def _choose(values: Sequence[float], draws: Tensor) -> Tensor:
    table = torch.tensor(values, dtype=torch.float32)
    return table[(draws * len(table)).long()]


def _in_proportion(pixels: int, at: int | None, size: int) -> int:
    return pixels if at is None else round(pixels * size / at)


def _check_at(name: str, at: int | None) -> None:
    if at is not None:
        at_least(f"{name}.at", at, 1)


def _check_range(name: str, low: float, high: float) -> None:
    if low > high:
        raise FeatvizError(f"{name}.low is {low}, above {name}.high, {high}")
