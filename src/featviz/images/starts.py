"""The random pictures from which pixel images start."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from featviz.errors import FeatvizError


@dataclass(frozen=True)
class Uniform:
    """Each value drawn evenly between ``low`` and ``high``, in the units of a picture in [0, 1]."""

    low: float = 0.0
    high: float = 1.0

    def __post_init__(self) -> None:
        """Refuse an empty range."""
        if self.low > self.high:
            raise FeatvizError(f"image.start.low is {self.low}, above image.start.high, {self.high}")

    def __call__(self, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
        """Draw one picture of ``shape``."""
        return self.low + (self.high - self.low) * torch.rand(shape, generator=generator)


@dataclass(frozen=True)
class Normal:
    """Each value drawn from a normal distribution, in the units of a picture in [0, 1]."""

    mean: float = 0.5
    std: float = 0.01

    def __call__(self, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
        """Draw one picture of ``shape``."""
        return self.mean + self.std * torch.randn(shape, generator=generator)
