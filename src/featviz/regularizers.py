"""Penalties on the picture, one number for each, added to the loss. Means over pixels, so that size does not matter."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from featviz.errors import FeatvizError


@dataclass(frozen=True)
class LpNorm:
    """``weight * mean(|picture - center| ** p)``; p = 2 is the L2, p = 1 the L1 penalty."""

    weight: float
    p: float = 2.0
    center: float = 0.5

    def __post_init__(self) -> None:
        """Refuse an order below 1, whose gradient is infinite at the centre."""
        if self.p < 1:
            raise FeatvizError(f"regularizers: p is {self.p}; expected 1 or more")

    def __call__(self, pictures: Tensor) -> Tensor:
        """Return penalties (N,) for pictures (N, C, H, W)."""
        return self.weight * (pictures - self.center).abs().pow(self.p).mean((1, 2, 3))


@dataclass(frozen=True)
class TotalVariation:
    """``weight`` times the absolute differences of neighbours, summed and divided by the number of values.

    Anisotropic (Rudin, Osher, Fatemi 1992, with the L1 norm of the gradient).
    """

    weight: float

    def __call__(self, pictures: Tensor) -> Tensor:
        """Return penalties (N,) for pictures (N, C, H, W)."""
        across = (pictures[..., :, 1:] - pictures[..., :, :-1]).abs().sum((1, 2, 3))
        down = (pictures[..., 1:, :] - pictures[..., :-1, :]).abs().sum((1, 2, 3))
        return self.weight * (across + down) / pictures[0].numel()
