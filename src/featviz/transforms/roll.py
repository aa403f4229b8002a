"""Pictures rolled over their edges."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from typing_extensions import override

from featviz.errors import at_least
from featviz.transforms.base import Transform


@dataclass
class Roll(Transform):
    """Move by whole pixels, at most ``pixels`` each way; what leaves at one edge comes in at the other (DeepDream)."""

    pixels: int
    draws = 2

    def __post_init__(self) -> None:
        """Refuse a negative roll."""
        at_least("roll.pixels", self.pixels, 0)

    @override
    def __call__(self, pictures: Tensor, draws: Tensor, progress: float = 0.0) -> Tensor:
        shifts = ((draws * (2 * self.pixels + 1)).floor() - self.pixels).long().tolist()
        rolled = [picture.roll((down, right), (1, 2)) for picture, (right, down) in zip(pictures, shifts, strict=True)]
        return torch.stack(rolled)
