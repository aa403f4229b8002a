"""Figures of many filters over a stream of photos, in memory that does not depend on how many photos there are.

Everything takes values (N, F) of N photos and F filters at a time, in the order of the photos.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

SHRINK = 2 / 3  # each level of a sketch is that much smaller than the one above it
FEWEST = 64  # values on a level: small ones would be sorted with every batch


class StreamingMoments:
    """Count, mean, standard deviation (of the population) and extremes; exact, in 64 bits.

    Batches are merged as in Chan, Golub and LeVeque 1979 (Stanford STAN-CS-79-773).
    """

    def __init__(self, filters: int) -> None:
        self.count = 0
        self.mean = torch.zeros(filters, dtype=torch.float64)
        self._squares = torch.zeros(filters, dtype=torch.float64)
        self.min = torch.full((filters,), math.inf, dtype=torch.float64)
        self.max = torch.full((filters,), -math.inf, dtype=torch.float64)

    @property
    def std(self) -> Tensor:
        """Standard deviations, (F,)."""
        return (self._squares / max(self.count, 1)).sqrt()

    def update(self, values: Tensor) -> None:
        """Take in values (N, F)."""
        if not len(values):
            return
        values = values.double()
        mean, count = values.mean(0), len(values)
        apart, total = mean - self.mean, self.count + count
        self._squares += (values - mean).square().sum(0) + apart.square() * (self.count * count / total)
        self.mean += apart * (count / total)
        self.count = total
        self.min = torch.minimum(self.min, values.amin(0))
        self.max = torch.maximum(self.max, values.amax(0))

    def state(self) -> dict[str, Any]:
        """All there is to know of the values so far, as plain values and tensors."""
        return {"count": self.count, "mean": self.mean, "squares": self._squares, "min": self.min, "max": self.max}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Go on from a ``state``."""
        self.count, self.mean, self._squares = state["count"], state["mean"], state["squares"]
        self.min, self.max = state["min"], state["max"]


class StreamingQuantiles:
    """Quantiles from a KLL sketch (Karnin, Lang and Liberty 2016, arXiv 1603.05346).

    A full level of values is sorted, and every second one goes up to the next, where it counts twice; which of two is
    drawn from ``seed``, at the same places for all filters. At most about four times ``capacity`` values are stored for
    each filter, whatever the number of photos. Up to ``capacity`` photos the quantiles are exact; beyond, the rank of a
    quantile is off by at most 2.3 / capacity^0.97 of all photos with 99 % confidence (0.5 % for 512; the figure is
    measured, from the documentation of Apache DataSketches' KLL sketch).
    """

    def __init__(self, filters: int, capacity: int = 512, seed: int = 0) -> None:
        self.count = 0
        self._capacity = capacity
        self._levels = [torch.empty(filters, 0)]
        self._coin = torch.Generator().manual_seed(seed)

    def update(self, values: Tensor) -> None:
        """Take in values (N, F)."""
        self.count += len(values)
        self._levels[0] = torch.cat([self._levels[0], values.float().T], 1)
        level = 0
        while level < len(self._levels):
            if self._levels[level].shape[1] > self._most(level):
                self._compact(level)
            level += 1

    def at(self, shares: Sequence[float]) -> Tensor:
        """The smallest kept values (F, Q) that at least these shares of all photos do not exceed."""
        values, order = torch.cat(self._levels, 1).sort(1)
        weights = torch.cat([torch.full((level.shape[1],), 2.0**at) for at, level in enumerate(self._levels)])
        ranks = weights.double()[order].cumsum(1)
        targets = torch.tensor(shares, dtype=torch.float64).mul(self.count).expand(len(values), -1).contiguous()
        return values.gather(1, torch.searchsorted(ranks, targets - 1e-9 * self.count).clamp_max(values.shape[1] - 1))

    def histogram(self, low: Tensor, high: Tensor, bins: int) -> Tensor:
        """How many photos lie in each of ``bins`` equal parts from ``low`` to ``high`` (F,), as counts (F, bins).

        They add up to the number of photos, and are as exact as quantiles are. Where ``low`` is ``high``, all photos
        are in the first part.
        """
        values = torch.cat(self._levels, 1).double()
        weights = torch.cat([torch.full((level.shape[1],), 2**at) for at, level in enumerate(self._levels)])
        width = torch.where(high > low, (high - low) / bins, 1.0)
        places = ((values - low[:, None]) / width[:, None]).long().clamp(0, bins - 1)
        counts = torch.zeros(len(values), bins, dtype=torch.int64)
        return counts.scatter_add_(1, places, weights.expand_as(places))

    def state(self) -> dict[str, Any]:
        """The sketch as plain values and tensors, with what it will draw next."""
        return {"count": self.count, "levels": list(self._levels), "coin": self._coin.get_state()}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Go on from a ``state``."""
        self.count, self._levels = state["count"], list(state["levels"])
        self._coin.set_state(state["coin"])

    @property
    def stored(self) -> int:
        """Values in memory for each filter."""
        return sum(level.shape[1] for level in self._levels)

    def _most(self, level: int) -> int:
        return max(FEWEST, math.ceil(self._capacity * SHRINK ** (len(self._levels) - 1 - level)))

    def _compact(self, level: int) -> None:
        """Send every second value of a level up; of an odd number the largest stays."""
        if level + 1 == len(self._levels):
            self._levels.append(self._levels[level][:, :0])
        ordered = torch.from_numpy(np.sort(self._levels[level].numpy(), 1))  # several times as quick as torch's
        paired = ordered.shape[1] // 2 * 2
        offset = int(torch.randint(2, (), generator=self._coin))
        self._levels[level + 1] = torch.cat([self._levels[level + 1], ordered[:, offset:paired:2]], 1)
        self._levels[level] = ordered[:, paired:].clone()


class TopK:
    """For each filter the ``k`` photos of the largest values, with what else is to be known of them.

    Of equal values those that came first are kept, and come first; with ``ties``, those are of which the number of that
    name is smaller.
    """

    def __init__(self, k: int, ties: str | None = None) -> None:
        self.k, self.ties = k, ties
        self.values: Tensor | None = None
        self.known: dict[str, Tensor] = {}

    @property
    def count(self) -> int:
        """How many are kept so far, of each filter."""
        return 0 if self.values is None else self.values.shape[1]

    def update(self, values: Tensor, known: Mapping[str, Tensor]) -> Tensor:
        """Take in values and other numbers, each (N, F); afterwards all are (F, k) or, of fewer photos, smaller.

        Returns:
            The places (F, k) where they were: among the ``count`` that were kept, or behind these among the new ones.
        """
        new = {name: other.T for name, other in known.items()}
        if self.values is None:
            self.values, self.known = values.T[:, :0], {name: other[:, :0] for name, other in new.items()}
        together = torch.cat([self.values, values.T], 1)
        known = {name: torch.cat([self.known[name], other], 1) for name, other in new.items()}
        places = _strongest(together, known[self.ties] if self.ties else None)[:, : self.k]
        self.values = together.gather(1, places)
        self.known = {name: other.gather(1, places) for name, other in known.items()}
        return places

    def state(self) -> dict[str, Any]:
        """The values and what is known of them, as plain values and tensors."""
        return {"values": self.values, "known": dict(self.known)}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Go on from a ``state``."""
        self.values, self.known = state["values"], dict(state["known"])


def _strongest(values: Tensor, ties: Tensor | None) -> Tensor:
    """The places (F, N) of values (F, N), the largest first; of equal ones that with the smaller number in ``ties``."""
    if ties is None:
        return values.sort(stable=True, dim=1, descending=True).indices
    first = ties.sort(stable=True, dim=1).indices
    return first.gather(1, values.gather(1, first).sort(stable=True, dim=1, descending=True).indices)
