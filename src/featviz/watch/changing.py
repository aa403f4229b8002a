"""Which filters have changed most since the last look, by what they respond to pictures of noise."""

from __future__ import annotations

import torch
from torch import Tensor


class Changing:
    """Picks the fastest changing filters of a layer.

    The change of a filter is how far its responses to the same pictures have moved since the last look, as a share of
    their size. Before there is a last look, the first filters are taken.
    """

    def __init__(self) -> None:
        self._before: dict[str, Tensor] = {}

    def pick(self, layer: str, responses: Tensor, count: int) -> list[int]:
        """The numbers of the ``count`` filters that have changed most, from responses (pictures, filters)."""
        before, self._before[layer] = self._before.get(layer), responses
        if before is None:
            return list(range(min(count, responses.shape[1])))
        order = change(before, responses).argsort(descending=True, stable=True)
        return sorted(order[:count].tolist())


def change(before: Tensor, now: Tensor) -> Tensor:
    """How far each filter has moved, (filters,), between two tables of responses (pictures, filters).

    The distance divided by the mean of both lengths: 0 where nothing has changed, 2 where all has changed its sign.
    """
    size = (before.norm(dim=0) + now.norm(dim=0)) / 2
    return torch.where(size > 0, (now - before).norm(dim=0) / size.clamp(min=torch.finfo(size.dtype).tiny), 0.0)
