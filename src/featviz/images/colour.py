"""Colour: the decorrelated colour space of natural images."""

from __future__ import annotations

import torch
from torch import Tensor

from featviz.errors import FeatvizError

# Square root of the colour covariance of ImageNet (tensorflow/lucid): columns are principal colours.
COLOUR_CORRELATION = ((0.26, 0.09, 0.02), (0.27, 0.00, -0.05), (0.27, -0.09, 0.03))


def correlation_matrix(channels: int = 3) -> Tensor:
    """The matrix (3, 3) that takes decorrelated to RGB values, divided by its largest column norm (lucid)."""
    if channels != 3:
        raise FeatvizError(f"decorrelated colour needs 3 channels, but the network takes {channels}: image.colour=rgb")
    matrix = torch.tensor(COLOUR_CORRELATION)
    return matrix / matrix.norm(dim=0).max()


def decorrelating(channels: int, wanted: bool = True) -> Tensor | None:
    """The matrix for three channels, where it is wanted; pictures of other channels have no such space."""
    return correlation_matrix(channels) if wanted and channels == 3 else None


def mix(values: Tensor, matrix: Tensor | None) -> Tensor:
    """Apply a colour matrix (C, C), where there is one, to values (N, C, H, W)."""
    return values if matrix is None else (matrix @ values.flatten(2)).view_as(values)
