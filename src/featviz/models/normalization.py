"""From pictures in [0, 1] to the numbers that a network takes: minus the mean, divided by the standard deviation."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from featviz.models.frames import for_channels


class Normalization(nn.Module):
    """By ``mean`` and ``std``, (1, C, 1, 1), into the ``memory`` format that the network wants.

    With three ``axes`` behind the channels, those of films, mean and std are (1, C, 1, 1, 1). Or, where a product and a
    sum are faster: each channel times ``scale`` plus ``shift``, (C,) each.
    """

    mean: Tensor
    std: Tensor
    scale: Tensor
    shift: Tensor

    def __init__(self, mean: Sequence[float], std: Sequence[float], axes: int = 2) -> None:
        super().__init__()
        self.memory = torch.contiguous_format
        for name, numbers in (("mean", mean), ("std", std)):
            self.register_buffer(name, for_channels(torch.tensor(numbers), axes), persistent=False)
        self.register_buffer("scale", (1 / self.std).flatten(), persistent=False)
        self.register_buffer("shift", (-self.mean / self.std).flatten(), persistent=False)
        self._changes_nothing = changes_nothing(mean, std)

    def forward(self, pictures: Tensor) -> Tensor:
        """Normalize pictures (N, C, H, W), or films (N, C, T, H, W).

        Where colors lie together, scale and shift are those of a whole row: a loop over three colors takes long.
        """
        if self.memory != torch.channels_last:
            return (pictures - self.mean) / self.std
        pixels = pictures.permute(0, 2, 3, 1).to(torch.promote_types(pictures.dtype, self.mean.dtype)).contiguous()
        if self._changes_nothing:  # but a network may overwrite what it gets
            pixels = pixels.clone() if pixels.data_ptr() == pictures.data_ptr() else pixels
        else:
            shift, scale = (each.to(pixels.dtype).repeat(pixels.shape[2]) for each in (self.shift, self.scale))
            pixels = torch.addcmul(shift, pixels.flatten(2), scale).view(pixels.shape)
        return pixels.permute(0, 3, 1, 2)


def changes_nothing(mean: Sequence[float], std: Sequence[float]) -> bool:
    """Whether pictures normalized by these numbers of each channel stay as they are."""
    return (set(mean), set(std)) == ({0.0}, {1.0})
