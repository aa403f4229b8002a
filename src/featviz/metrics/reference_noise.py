"""What the filters of a layer are like on noise with a natural spectrum, by which activations are standardized."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from featviz.models.backbone import Backbone

REFERENCES = 32  # pictures of noise
MIN_SHARE = 0.1  # of the layer's median deviation: below it, a filter's own deviation is not believed


class ReferenceNoise:
    """Mean and deviation of each filter's activation on 1/f noise, measured once for each layer and size."""

    def __init__(self) -> None:
        self._moments: dict[tuple[int, str, int], tuple[Tensor, Tensor]] = {}

    def standardized(self, backbone: Backbone, layer: str, maps: Mapping[str, Tensor], size: int) -> Tensor:
        """Activations of all filters of a layer for pictures of ``size`` px, in deviations from the mean on noise.

        ``maps`` are the pictures' feature maps {layer: (N, filters, h, w)}; returns (N, filters).
        """
        mean, std = self._moments_of(backbone, layer, size)
        return (maps[layer].float().mean((2, 3)).cpu() - mean) / std

    def _moments_of(self, backbone: Backbone, layer: str, size: int) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation, (filters,)."""
        # One at a time: where memory is short, chunks of pictures shrink to one, and so little must be enough here.
        key = (id(backbone.network), layer, size)
        if key not in self._moments:
            noise = noise_pictures(size, backbone.model.in_channels).to(backbone.mean.device)
            means = [backbone(picture)[layer].float().mean((2, 3)).cpu() for picture in torch.split(noise, 1)]
            std, mean = torch.std_mean(torch.cat(means), 0)
            self._moments[key] = mean, std.clamp_min(MIN_SHARE * std.median().clamp_min(1e-12))
        return self._moments[key]


def noise_pictures(size: int, channels: int) -> Tensor:
    """Pictures (N, C, size, size) of noise whose magnitudes fall as 1 / frequency, with mean .5 and deviation .15."""
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(REFERENCES, channels, size, size, generator=generator)
    vertical, horizontal = torch.fft.fftfreq(size)[:, None], torch.fft.rfftfreq(size)[None]
    fall = 1 / (vertical**2 + horizontal**2).sqrt().clamp_min(1 / size)
    pictures = torch.fft.irfft2(torch.fft.rfft2(noise) * fall, s=(size, size))
    std, mean = torch.std_mean(pictures, (1, 2, 3), keepdim=True)
    return (0.5 + 0.15 * (pictures - mean) / std).clamp(0, 1)
