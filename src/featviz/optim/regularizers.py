"""Penalties on the picture, one number for each, added to the loss. Means over pixels, so that size does not matter.

Films (N, C, T, H, W) are taken as pictures are; what is of neighbors is also of those in time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from featviz.errors import at_least
from featviz.models.frames import axes_of

FLAT = 1e-12  # of a squared difference: below it, a root's gradient is no longer finite


@dataclass(frozen=True)
class LpNorm:
    """``weight * mean(|picture - center| ** p)``; p = 2 is the L2, p = 1 the L1 penalty."""

    weight: float
    p: float = 2.0
    center: float = 0.5

    def __post_init__(self) -> None:
        """Refuse an order below 1, whose gradient is infinite at the center."""
        at_least("regularizers.lp.p", self.p, 1)

    def __call__(self, pictures: Tensor) -> Tensor:
        """Return penalties (N,) for pictures (N, C, H, W)."""
        return self.weight * (pictures - self.center).abs().pow(self.p).mean(axes_of(pictures))


@dataclass(frozen=True)
class MeanAlpha:
    """``weight`` times the root mean square of the alpha channel, the last one (tensorflow/lucid, ``mean_alpha``).

    For images that learn how transparent they are (image=alpha).
    """

    weight: float

    of_alpha = True

    def __call__(self, pictures: Tensor) -> Tensor:
        """Return penalties (N,) for pictures (N, C + 1, H, W)."""
        return self.weight * pictures[:, -1].square().mean(axes_of(pictures)[:-1]).clamp_min(FLAT).sqrt()


@dataclass(frozen=True)
class TotalVariation:
    """``weight`` times the absolute differences of neighbors, summed and divided by the number of values.

    Anisotropic (Rudin, Osher, Fatemi 1992, with the L1 norm of the gradient).
    """

    weight: float

    def __call__(self, pictures: Tensor) -> Tensor:
        """Return penalties (N,) for pictures (N, C, H, W)."""
        sums = [differences.abs().sum(axes_of(pictures)) for differences in _differences(pictures)]
        return self.weight * sum(sums[1:], sums[0]) / pictures[0].numel()


@dataclass(frozen=True)
class TotalVariationBeta:
    """``weight`` times the mean of ``(across ** 2 + down ** 2) ** (beta / 2)``, the differences of neighbors.

    Isotropic (Mahendran, Vedaldi 2015, arXiv 1412.0035): with beta 1 edges stay sharp, with 2 they are smoothed.
    """

    weight: float
    beta: float = 2.0

    def __post_init__(self) -> None:
        """Refuse a power below 1, whose gradient is infinite where a picture is flat."""
        at_least("regularizers.total_variation_beta.beta", self.beta, 1)

    def __call__(self, pictures: Tensor) -> Tensor:
        """Return penalties (N,) for pictures (N, C, H, W); beyond the last row and column they go on as they are."""
        padded = [F.pad(each, [0, 0] * at + [0, 1]) for at, each in enumerate(_differences(pictures))]
        each = [differences**2 for differences in padded]
        squares = sum(each[1:], each[0]).clamp_min(FLAT)
        return self.weight * (squares ** (self.beta / 2) - FLAT ** (self.beta / 2)).mean(axes_of(pictures))


@dataclass(frozen=True)
class VariationNorm:
    """``weight`` times the L2 norms of the differences of neighbors, across, down and along both diagonals.

    A norm is that of a whole channel; they are averaged over the channels and summed over the four directions (Ghiasi
    et al. 2022, arXiv 2212.06727); for films there is a fifth one, over time. It grows with the picture's side.
    """

    weight: float

    def __call__(self, pictures: Tensor) -> Tensor:
        """Return penalties (N,) for pictures (N, C, H, W)."""
        across, down, *over_time = _differences(pictures)
        diagonals = (
            pictures[..., 1:, 1:] - pictures[..., :-1, :-1],
            pictures[..., 1:, :-1] - pictures[..., :-1, 1:],
        )
        axes = axes_of(pictures)[1:]
        each = [torch.linalg.vector_norm(part, dim=axes) for part in (across, down, *diagonals, *over_time)]
        return self.weight * torch.stack(each).mean(2).sum(0)


def _differences(pictures: Tensor) -> Iterator[Tensor]:
    """Of neighbors across and down, and of films also from frame to frame.

    They come one by one: gradients are summed in the order in which the differences were used.
    """
    for axis in range(pictures.ndim - 1, 1, -1):
        count = pictures.shape[axis] - 1
        yield pictures.narrow(axis, 1, count) - pictures.narrow(axis, 0, count)
