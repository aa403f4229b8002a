"""From pictures in [0, 1] to the numbers that a network takes: minus the mean, divided by the standard deviation."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Normalisation:
    """Mean and standard deviation (C,) of a network's pictures, and the memory format that it wants them in."""

    mean: Tensor
    std: Tensor
    memory: torch.memory_format

    @property
    def scale(self) -> Tensor:
        """What each channel is multiplied with, before its shift is added."""
        return 1 / self.std

    @property
    def shift(self) -> Tensor:
        """What is added to each channel then."""
        return -self.mean / self.std

    def __call__(self, pictures: Tensor) -> Tensor:
        """Normalise pictures (N, C, H, W).

        Where colours lie together, scale and shift are those of a whole row: a loop over three colours takes long.
        """
        if self.memory != torch.channels_last:
            return (pictures - self.mean.view(-1, 1, 1)) / self.std.view(-1, 1, 1)
        pixels = pictures.permute(0, 2, 3, 1).to(torch.promote_types(pictures.dtype, self.mean.dtype)).contiguous()
        shift, scale = (each.to(pixels.dtype).repeat(pixels.shape[2]) for each in (self.shift, self.scale))
        return torch.addcmul(shift, pixels.flatten(2), scale).view(pixels.shape).permute(0, 3, 1, 2)
