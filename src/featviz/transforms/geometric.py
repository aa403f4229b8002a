"""How transforms that only move pixels are composed, so that neighboring ones resample the picture once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from typing_extensions import override

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
        return resample([self.for_pictures(pictures.shape[-1])], pictures, draws)


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
        fill = fill if step.fill is None else step.fill
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
