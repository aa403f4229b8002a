"""Numbers of channels that differ in size and spread, made comparable by what they are for many photos."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Standardization:
    """Mean and standard deviation of each of F numbers over photos, (F,) each."""

    mean: Tensor
    std: Tensor

    @classmethod
    def of(cls, photos: Tensor) -> Standardization:
        """That of the numbers (N, F) of photos."""
        std, mean = torch.std_mean(photos, 0, correction=0)
        return cls(mean, std)

    def __call__(self, numbers: Tensor) -> Tensor:
        """Numbers (N, F) in standard deviations from the mean; zero for those that never vary."""
        return torch.where(self.std > 0, (numbers - self.mean) / self.std, 0.0)
