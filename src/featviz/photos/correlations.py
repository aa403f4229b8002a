"""Correlations of filters' figures over a stream of photos, in memory that does not depend on how many these are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

CONSTANT = 1e-12  # a variance below this share of the mean square is rounding


class StreamingCorrelations:
    """Correlations of some of a layer's filters with all of them; exact, in 64 bits.

    Batches are merged as in Chan, Golub and LeVeque 1979 (Stanford STAN-CS-79-773), co-moments as squares are there.

    Args:
        chosen: the filters whose correlations are asked for.
        filters: how many the layer has.
    """

    def __init__(self, chosen: Sequence[int], filters: int) -> None:
        self.count = 0
        self._chosen = list(chosen)
        self._mean = torch.zeros(filters, dtype=torch.float64)
        self._squares = torch.zeros(filters, dtype=torch.float64)
        self._products = torch.zeros(len(self._chosen), filters, dtype=torch.float64)

    def update(self, values: Tensor) -> None:
        """Take in the figures (N, filters) of N photos."""
        if not len(values):
            return
        values = values.double()
        mean, count = values.mean(0), len(values)
        apart, total, centered = mean - self._mean, self.count + count, values - mean
        share = self.count * count / total
        self._squares += centered.square().sum(0) + apart.square() * share
        self._products += centered[:, self._chosen].T @ centered + torch.outer(apart[self._chosen], apart * share)
        self._mean += apart * (count / total)
        self.count = total

    def correlations(self) -> Tensor:
        """Correlations (chosen, filters); nan with a filter that answers to all photos alike."""
        floor = CONSTANT * self.count * self._mean.square()
        deviations = torch.where(self._squares > floor, self._squares, torch.nan).sqrt()
        return (self._products / deviations[self._chosen, None] / deviations).clamp(-1, 1)

    def state(self) -> dict[str, Any]:
        """All there is to know of the values so far, as plain values and tensors."""
        return {"count": self.count, "mean": self._mean, "squares": self._squares, "products": self._products}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Go on from a ``state``."""
        self.count, self._mean = state["count"], state["mean"]
        self._squares, self._products = state["squares"], state["products"]
