"""Films moved in time."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from typing_extensions import override

from featviz.errors import FeatvizError, at_least
from featviz.transforms.base import Transform


@dataclass
class TimeShift(Transform):
    """Move films by whole frames, at most ``frames`` earlier or later; the first or last frame stands at the end.

    Raises:
        FeatvizError: ``frames`` is negative, or it is called with pictures.
    """

    frames: int
    draws = 1
    takes_films = True

    def __post_init__(self) -> None:
        """Refuse a negative shift."""
        at_least("time_shift.frames", self.frames, 0)

    @override
    def __call__(self, pictures: Tensor, draws: Tensor, progress: float = 0.0) -> Tensor:
        if pictures.ndim < 5:
            what, expected = "a shift over time moves films, and these are pictures", "transforms without it"
            raise FeatvizError(what, setting="time_shift", got=self.frames, expected=expected)
        count = pictures.shape[2]
        shifts = ((draws[:, 0] * (2 * self.frames + 1)).floor() - self.frames).long()
        places = (torch.arange(count) - shifts[:, None]).clamp(0, count - 1).to(pictures.device)
        rows = torch.arange(len(pictures), device=pictures.device)[:, None]
        return pictures.transpose(1, 2)[rows, places].transpose(1, 2)
