"""Several copies of each picture."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from typing_extensions import override

from featviz.errors import at_least
from featviz.transforms.base import Transform


@dataclass
class Copies(Transform):
    """``count`` copies of each picture, so that each has transforms of its own; their scores are averaged."""

    count: int
    takes_films = True

    def __post_init__(self) -> None:
        """Refuse no copies."""
        at_least("copies.count", self.count, 1)
        self.copies = self.count

    @override
    def __call__(self, pictures: Tensor, draws: Tensor, progress: float = 0.0) -> Tensor:
        return pictures.repeat(self.count, *[1] * (pictures.ndim - 1))
