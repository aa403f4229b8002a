"""What the filters of a layer are like on noise with a natural spectrum, by which activations are standardized."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from featviz.models.backbone import Backbone
from featviz.models.frames import axes_of
from featviz.shapes import Shape, Size

REFERENCES = 32  # pictures of noise
MIN_SHARE = 0.1  # of the layer's median deviation: below it, a filter's own deviation is not believed
MEAN, DEVIATION = 0.5, 0.15  # of the noise


def standardized(backbone: Backbone, layer: str, maps: Mapping[str, Tensor], size: Size) -> Tensor:
    """Activations of all filters of a layer for pictures of ``size`` px, in deviations from the mean on noise.

    ``maps`` are the pictures' feature maps {layer: (N, filters, h, w)}; returns (N, filters).
    """
    mean, std = noise_moments(backbone, layer, size)
    return (maps[layer].float().mean(axes_of(maps[layer])[1:]).cpu() - mean) / std


_KNOWN = WeakKeyDictionary[Backbone, dict[tuple[str, Size], tuple[Tensor, Tensor]]]()


def noise_moments(backbone: Backbone, layer: str, size: Size) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation, (filters,), of the means of a layer's feature maps on noise of ``size`` px.

    Where the network's values have no bounds, the noise has the mean and deviation of its normalization. They are
    measured once for each backbone, which is frozen: each chunk of pictures asks for them.
    """
    known, size = _KNOWN.setdefault(backbone, {}), Shape.of(size).size
    if (layer, size) not in known:
        known[layer, size] = _measured(backbone, layer, size)
    return known[layer, size]


@torch.no_grad()
def _measured(backbone: Backbone, layer: str, size: Size) -> tuple[Tensor, Tensor]:
    noise = noise_pictures(size, backbone.model.in_channels).to(backbone.mean.device)
    if not backbone.model.bounded:
        noise = backbone.mean + backbone.std * (noise - MEAN) / DEVIATION
    # One at a time: where memory is short, chunks of pictures shrink to one, and so little must be enough here.
    found = [backbone(picture)[layer].float() for picture in torch.split(noise, 1)]
    means = [each.mean(axes_of(each)[1:]).cpu() for each in found]
    std, mean = torch.std_mean(torch.cat(means), 0)
    return mean, std.clamp_min(MIN_SHARE * std.nanmedian().clamp_min(1e-12))


def noise_pictures(size: Size, channels: int) -> Tensor:
    """Pictures (N, C, H, W), or films, of noise whose magnitudes fall as 1 / frequency: mean .5, deviation .15.

    They are to be read only.
    """
    return _noise(Shape.of(size), channels)


@lru_cache(maxsize=1)  # the layers of a network ask for the same
@torch.inference_mode(False)  # or later ones could not take a gradient through what is kept
def _noise(shape: Shape, channels: int) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    noise, axes = torch.randn(REFERENCES, channels, *shape, generator=generator), tuple(range(-len(shape), 0))
    squares = [frequency**2 for frequency in _frequencies(shape)]
    fall = 1 / sum(squares[1:], squares[0]).sqrt().clamp_min(1 / max(shape))
    pictures = torch.fft.irfftn(torch.fft.rfftn(noise, dim=axes) * fall, shape, axes)
    std, mean = torch.std_mean(pictures, axes_of(pictures), keepdim=True)
    return (MEAN + DEVIATION * (pictures - mean) / std).clamp(0, 1)


def _frequencies(shape: Shape) -> tuple[Tensor, ...]:
    """Of a real Fourier transform along each axis, in cycles per pixel, or per frame."""
    axes = [*(torch.fft.fftfreq(side) for side in shape[:-1]), torch.fft.rfftfreq(shape[-1])]
    return torch.meshgrid(*axes, indexing="ij")
