"""A unit of another network that answers to photos as this one does, and its answer to this one's picture."""

from __future__ import annotations

import torch
from torch import Tensor


def most_alike(values: Tensor, others: Tensor) -> tuple[int, float]:
    """Which of other units' figures (N, U) goes up and down most with a unit's figures (N,) over photos, and how much.

    Returns:
        The unit's number, and Pearson's correlation: 1 where they are proportional. Units that never vary have none,
        and where none varies the correlation is nan.
    """
    one, many = values.double() - values.double().mean(), others.double() - others.double().mean(0)
    correlations = (one @ many) / (one.norm() * many.norm(dim=0))
    if correlations.isnan().all():
        return 0, float("nan")
    best = int(torch.where(correlations.isnan(), -2.0, correlations).argmax())
    return best, correlations[best].item()


def standing(value: float, values: Tensor) -> float:
    """How many standard deviations a value is above the mean of photos' values (N,)."""
    std, mean = torch.std_mean(values.double(), correction=0)
    return (value - mean.item()) / std.item() if std > 0 else float("nan")
