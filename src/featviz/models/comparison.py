"""Whether two ways to compute the same have the same result, but for rounding."""

from __future__ import annotations

from torch import Tensor

TOLERANCE = 1e-4  # of the largest number


def difference(one: Tensor, other: Tensor) -> float:
    """The largest difference of two tensors, as a share of the first one's largest number."""
    return ((one - other).abs().max() / one.abs().max().clamp_min(1e-12)).item()


def same(one: Tensor, other: Tensor) -> bool:
    """Whether two tensors are the same but for rounding."""
    return one.shape == other.shape and difference(one, other) <= TOLERANCE
