"""How transforms that only move pixels are composed, so that neighboring ones resample the picture once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from typing_extensions import override

from featviz.shapes import Shape
from featviz.transforms.base import GRAY, Transform
from featviz.transforms.sampling import sample


class Geometric(Transform):
    """A transform that only moves pixels. Coordinates are px from the canvas's center.

    One that draws a border has the border's value as ``fill``.
    """

    fill: float | None = None

    def matrix(self, draws: Tensor) -> Tensor:
        """For each picture, where a point of the new canvas lies on the old one: (N, 2, 3), rows x and y."""
        raise NotImplementedError

    @override
    def __call__(self, pictures: Tensor, draws: Tensor, progress: float = 0.0) -> Tensor:
        return resample([self.for_pictures(Shape(pictures.shape[2:]).size)], pictures, draws)


class Composed(NamedTuple):
    """Geometric transforms as a single bilinear interpolation: what ``sample`` takes beside the pictures."""

    matrices: Tensor
    shape: Shape
    fill: float


def composed(steps: Sequence[Geometric], shape: Shape, draws: Tensor) -> Composed:
    """Compose geometric transforms, one after another, of pictures of a shape by their draws (N, draws)."""
    canvas, fill, used = shape.frame, GRAY, 0
    whole = torch.eye(3).expand(len(draws), 3, 3)
    for step in steps:
        canvas = Shape.of(step.canvas(canvas.size))
        row = torch.tensor([0.0, 0.0, 1.0]).expand(len(draws), 1, 3)
        whole = whole @ torch.cat([step.matrix(draws[:, used : used + step.draws]), row], 1)
        used += step.draws
        fill = fill if step.fill is None else step.fill
    return Composed(_from_corners(whole[:, :2], canvas, shape.frame), canvas, fill)


def resample(steps: Sequence[Geometric], pictures: Tensor, draws: Tensor) -> Tensor:
    """Apply geometric transforms one after another with a single bilinear interpolation."""
    return sample(pictures, *composed(steps, Shape(pictures.shape[2:]), draws))


def _from_corners(matrices: Tensor, canvas: Shape, shape: Shape) -> Tensor:
    """Matrices (N, 2, 3) between columns and rows, which are counted from the corner, not from the centers."""
    exact = matrices.double()
    (rows, columns), (height, width) = canvas, shape
    center = exact[:, :, :2].sum(2) * (rows - 1) / 2 + exact[:, :, 0] * (columns - rows) / 2
    shift = exact[:, :, 2] - center + (torch.tensor([width, height]) - 1) / 2
    return torch.cat([exact[:, :, :2], shift[:, :, None]], 2).float()
