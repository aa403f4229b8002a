"""The transforms that only move pixels: each a matrix (2, 3) for each picture."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor
from typing_extensions import override

from featviz.errors import FeatvizError, above_zero, at_least, in_order, within
from featviz.shapes import Shape, Size
from featviz.transforms.base import GRAY
from featviz.transforms.geometric import Geometric


@dataclass
class Pad(Geometric):
    """A border of ``pixels`` px of the value ``fill``, which also fills what rotation and scaling uncover.

    Where ``at`` is given, ``pixels`` are meant for pictures of that size, and change in proportion; ``below`` is the
    same for smaller pictures only.
    """

    pixels: int
    fill: float = GRAY
    at: int | None = None
    below: int | None = None

    def __post_init__(self) -> None:
        """Refuse a negative border."""
        at_least("pad.pixels", self.pixels, 0)
        _check_sizes("pad", self.at, self.below)

    @override
    def for_pictures(self, size: Size) -> Self:
        return replace(self, pixels=_in_proportion(self.pixels, size, self.at, self.below), at=None, below=None)

    @override
    def canvas(self, size: Size) -> Size:
        return Shape.of(size).grown(2 * self.pixels).size

    @override
    def matrix(self, draws: Tensor) -> Tensor:
        """The center stays where it is."""
        return _matrix(torch.ones(len(draws)))


@dataclass
class Jitter(Geometric):
    """A random crop, ``pixels`` px smaller than the canvas, at whole pixels.

    Where ``at`` is given, ``pixels`` are meant for pictures of that size, and change in proportion; ``below`` is the
    same for smaller pictures only.
    """

    pixels: int
    at: int | None = None
    below: int | None = None
    draws = 2

    def __post_init__(self) -> None:
        """Refuse a negative jitter."""
        at_least("jitter.pixels", self.pixels, 0)
        _check_sizes("jitter", self.at, self.below)

    @override
    def for_pictures(self, size: Size) -> Self:
        return replace(self, pixels=_in_proportion(self.pixels, size, self.at, self.below), at=None, below=None)

    @override
    def canvas(self, size: Size) -> Size:
        shape = Shape.of(size)
        if min(shape.frame) <= self.pixels:
            raise FeatvizError(
                f"transforms: a jitter of {self.pixels} px leaves nothing of a picture of {shape} px",
                setting="jitter.pixels",
                got=self.pixels,
            )
        return shape.grown(-self.pixels).size

    @override
    def matrix(self, draws: Tensor) -> Tensor:
        """Shift by the crop's offset, of which 0 and ``pixels`` are the ends."""
        offset = (draws * (self.pixels + 1)).floor() - self.pixels / 2
        return _matrix(torch.ones_like(draws[:, 0]), shift=offset)


@dataclass
class Shift(Geometric):
    """Move by whole pixels, at most ``pixels`` each way; the canvas keeps its size.

    ``times`` one after another: the sum of many is nearly normal (pytorch/captum). For pictures smaller than ``below``
    px, where it is given, ``pixels`` change in proportion.
    """

    pixels: int
    times: int = 1
    below: int | None = None

    def __post_init__(self) -> None:
        """Refuse a negative shift."""
        at_least("shift.pixels", self.pixels, 0)
        at_least("shift.times", self.times, 1)
        _check_sizes("shift", below=self.below)
        self.draws = 2 * self.times

    @override
    def for_pictures(self, size: Size) -> Self:
        return replace(self, pixels=_in_proportion(self.pixels, size, below=self.below), below=None)

    @override
    def matrix(self, draws: Tensor) -> Tensor:
        steps = (draws * (2 * self.pixels + 1)).floor() - self.pixels
        return _matrix(torch.ones_like(draws[:, 0]), shift=steps.view(len(draws), self.times, 2).sum(1))


@dataclass
class Scale(Geometric):
    """Zoom about the center by one of ``factors``; the canvas keeps its size."""

    factors: Sequence[float]
    draws = 1

    def __post_init__(self) -> None:
        """Refuse factors that are not above zero."""
        if not self.factors or not all(isinstance(one, int | float) and one > 0 for one in self.factors):
            raise FeatvizError(setting="scale.factors", got=list(self.factors), expected="numbers above zero")
        self.factors = list(self.factors)  # Hydra's own lists are slow

    @override
    def matrix(self, draws: Tensor) -> Tensor:
        """A point of the zoomed canvas lies nearer to the center of the old one by the factor."""
        return _matrix(1 / _choose(self.factors, draws[:, 0]))


@dataclass
class ScaleBetween(Geometric):
    """Zoom about the center by a factor drawn evenly between ``low`` and ``high``; the canvas keeps its size.

    Where not ``same``, width and height have a factor each.
    """

    low: float
    high: float
    same: bool = True
    draws = 2

    def __post_init__(self) -> None:
        """Refuse factors that are not above zero."""
        above_zero("scale.low", self.low)
        in_order("scale.low", self.low, "scale.high", self.high)

    @override
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
        if not self.degrees or not all(isinstance(one, int | float) for one in self.degrees):
            expected = "angles such as [-10, 0, 10]"
            raise FeatvizError(setting="rotate.degrees", got=list(self.degrees), expected=expected)
        self.degrees = list(self.degrees)

    @override
    def matrix(self, draws: Tensor) -> Tensor:
        return _rotation(_choose(self.degrees, draws[:, 0]))


@dataclass
class RotateBetween(Geometric):
    """Turn about the center by an angle drawn evenly between ``low`` and ``high`` degrees, counter-clockwise."""

    low: float
    high: float
    draws = 1

    def __post_init__(self) -> None:
        """Refuse an empty range."""
        in_order("rotate.low", self.low, "rotate.high", self.high)

    @override
    def matrix(self, draws: Tensor) -> Tensor:
        return _rotation(self.low + (self.high - self.low) * draws[:, 0])


@dataclass
class Flip(Geometric):
    """Mirror left and right with the probability ``probability``."""

    probability: float = 0.5
    draws = 1

    def __post_init__(self) -> None:
        """Refuse what is no probability."""
        within("flip.probability", self.probability, 0, 1)

    @override
    def matrix(self, draws: Tensor) -> Tensor:
        """The sign of x."""
        rows = _matrix(torch.ones(len(draws)))
        rows[:, 0, 0] -= 2 * (draws[:, 0] < self.probability)
        return rows


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


def _in_proportion(pixels: int, size: Size, at: int | None = None, below: int | None = None) -> int:
    side = Shape.of(size).side
    meant_for = at or (side if below is None else max(side, below))
    return round(pixels * side / meant_for)


def _check_sizes(name: str, at: int | None = None, below: int | None = None) -> None:
    for setting, size in (("at", at), ("below", below)):
        if size is not None:
            at_least(f"{name}.{setting}", size, 1)
