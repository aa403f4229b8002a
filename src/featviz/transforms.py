"""Random changes between the image and the model that make a picture robust (Olah et al. 2017).

Each picture has its own draw of each transform: uniform numbers in [0, 1) that come from outside, so that they can be a
function of (seed, layer, filter, step) and not of the batch.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import prod
from operator import mul
from typing import TypeGuard

import torch
from torch import Tensor
from torch.nn import functional as F

from featviz.errors import FeatvizError

GREY = 0.5


class Transform:
    """Changes pictures (N, C, H, W) by ``draws`` uniform numbers for each, (N, draws) on the CPU.

    One that makes several ``copies`` of each picture gives (copies * N, C, H, W): first copies come first.
    """

    draws: int = 0
    copies: int = 1

    def canvas(self, size: int) -> int:
        """The side of the canvas after it, in px."""
        return size

    def __call__(self, pictures: Tensor, draws: Tensor, progress: float = 0.0) -> Tensor:
        """Return the changed pictures; ``progress`` goes from 0 to 1 over the run."""
        raise NotImplementedError


class Geometric(Transform):
    """A transform that only moves pixels.

    Neighbouring ones are composed and resample the picture once. Coordinates are px from the canvas's centre.
    """

    def matrix(self, draws: Tensor) -> Tensor:
        """For each picture, where a point of the new canvas lies on the old one: (N, 2, 3), rows x and y."""
        raise NotImplementedError

    def __call__(self, pictures: Tensor, draws: Tensor, progress: float = 0.0) -> Tensor:
        """Apply it alone."""
        return resample([self], pictures, draws)


@dataclass
class Pad(Geometric):
    """A border of ``pixels`` px of the value ``fill``, which also fills what rotation and scaling uncover."""

    pixels: int
    fill: float = GREY

    def __post_init__(self) -> None:
        """Refuse a negative border."""
        _at_least_zero("pad.pixels", self.pixels)

    def canvas(self, size: int) -> int:
        """The side grows at both ends."""
        return size + 2 * self.pixels

    def matrix(self, draws: Tensor) -> Tensor:
        """The centre stays where it is."""
        return _matrix(torch.ones(len(draws)))


@dataclass
class Jitter(Geometric):
    """A random crop, ``pixels`` px smaller than the canvas, at whole pixels."""

    pixels: int
    draws = 2

    def __post_init__(self) -> None:
        """Refuse a negative jitter."""
        _at_least_zero("jitter.pixels", self.pixels)

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
class Scale(Geometric):
    """Zoom about the centre by one of ``factors``; the canvas keeps its side."""

    factors: Sequence[float]
    draws = 1

    def __post_init__(self) -> None:
        """Refuse factors that are not above zero."""
        if not self.factors or min(self.factors) <= 0:
            raise FeatvizError(f"scale.factors is {list(self.factors)}; expected numbers above zero")

    def matrix(self, draws: Tensor) -> Tensor:
        """A point of the zoomed canvas lies nearer to the centre of the old one by the factor."""
        return _matrix(1 / _choose(self.factors, draws[:, 0]))


@dataclass
class Rotate(Geometric):
    """Turn about the centre by one of ``degrees``, counter-clockwise."""

    degrees: Sequence[float]
    draws = 1

    def __post_init__(self) -> None:
        """Refuse an empty choice."""
        if not self.degrees:
            raise FeatvizError("rotate.degrees is empty; expected angles such as [-10, 0, 10]")

    def matrix(self, draws: Tensor) -> Tensor:
        """Rotation; y points down."""
        angle = _choose(self.degrees, draws[:, 0]) * (math.pi / 180)
        return _matrix(angle.cos(), angle.sin())


class Transforms:
    """The transforms of a recipe, by name, in order. Neighbouring geometric ones become a single resampling."""

    def __init__(self, steps: Mapping[str, Transform] | None = None) -> None:
        self.steps = list((steps or {}).values())
        copies = list(accumulate((step.copies for step in self.steps), mul, initial=1))
        self.copies = copies[-1]
        self.draws = sum(step.draws * before for step, before in zip(self.steps, copies, strict=False))

    def __call__(self, pictures: Tensor, draws: Tensor, progress: float = 0.0) -> Tensor:
        """Change pictures (N, C, H, W) by the numbers drawn for them, (N, draws) in [0, 1) on the CPU."""
        used, copies = 0, 1
        for run in _runs(self.steps):
            count = sum(step.draws for step in run)
            drawn = draws[:, used : used + count * copies].view(len(draws), copies, count).transpose(0, 1).flatten(0, 1)
            pictures = resample(run, pictures, drawn) if _geometric(run) else run[0](pictures, drawn, progress)
            used += count * copies
            copies *= prod(step.copies for step in run)
        return pictures

    def size(self, size: int) -> int:
        """The side of what the model sees, in px, for pictures of ``size`` px."""
        for step in self.steps:
            size = step.canvas(size)
        return size


def _geometric(run: Sequence[Transform]) -> TypeGuard[Sequence[Geometric]]:
    return all(isinstance(step, Geometric) for step in run)


def _runs(steps: Sequence[Transform]) -> list[list[Transform]]:
    """Neighbouring geometric transforms together; a pad comes first, since its border covers what lay there."""
    runs: list[list[Transform]] = []
    for step in steps:
        joins = runs and _geometric([*runs[-1], step]) and not isinstance(step, Pad)
        runs[-1].append(step) if joins else runs.append([step])
    return runs


def resample(steps: Sequence[Geometric], pictures: Tensor, draws: Tensor) -> Tensor:
    """Apply geometric transforms one after another with a single bilinear interpolation."""
    count, channels, height, width = pictures.shape
    side, fill, used = height, GREY, 0
    whole = torch.eye(3).expand(count, 3, 3)
    for step in steps:
        side = step.canvas(side)
        row = torch.tensor([0.0, 0.0, 1.0]).expand(count, 1, 3)
        whole = whole @ torch.cat([step.matrix(draws[:, used : used + step.draws]), row], 1)
        used += step.draws
        fill = step.fill if isinstance(step, Pad) else fill
    # affine_grid's coordinates run from -1 to 1 over a canvas: half a side each.
    half_out = torch.tensor([side / 2, side / 2, 1.0])
    half_in = torch.tensor([width / 2, height / 2])
    theta = whole[:, :2] * half_out / half_in[:, None]
    theta = theta.to(pictures.device, non_blocking=True)  # only now: a GPU takes longer to start so many small kernels
    grid = F.affine_grid(theta, [count, channels, side, side], align_corners=False)
    return F.grid_sample(pictures - fill, grid.to(pictures.dtype), align_corners=False) + fill


def _matrix(cosine: Tensor, sine: Tensor | None = None, shift: Tensor | None = None) -> Tensor:
    """Rows of (N, 2, 3) from a rotation or zoom (N,) and a shift (N, 2)."""
    sine = torch.zeros_like(cosine) if sine is None else sine
    shift = torch.zeros(len(cosine), 2) if shift is None else shift
    rows = (torch.stack([cosine, -sine, shift[:, 0]], 1), torch.stack([sine, cosine, shift[:, 1]], 1))
    return torch.stack(rows, 1)


def _choose(values: Sequence[float], draws: Tensor) -> Tensor:
    table = torch.tensor(list(values), dtype=torch.float32)
    return table[(draws * len(table)).long()]


def _at_least_zero(what: str, value: float) -> None:
    if value < 0:
        raise FeatvizError(f"{what} is {value}; expected zero or more")
