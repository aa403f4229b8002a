"""Pictures as Fourier coefficients."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from typing_extensions import override

from featviz.errors import above_zero
from featviz.images.base import Image, normal_values

DIVISOR = 4.0  # lucid's, with which noise of std 0.01 gives a soft gray start


class FourierImage(Image):
    """Pictures as coefficients (N, C, H, W // 2 + 1, 2) of a real Fourier transform (Olah et al. 2017, lucid).

    Each coefficient is scaled by ``1 / max(frequency, 1 / size) ** decay`` (frequency in cycles per pixel), so that
    low and high frequencies learn alike; then inverse transform (orthonormal), division by ``divisor``, colors
    correlated, sigmoid; with ``rescale`` each picture's smallest value becomes 0 and its largest 1 (xplique). Starts
    from normal coefficients of standard deviation ``sd``, one generator for each picture.
    """

    def __init__(
        self,
        size: int,
        generators: Sequence[torch.Generator],
        mean: Sequence[float],
        std: Sequence[float],
        sd: float = 0.01,
        decay: float = 1.0,
        decorrelate: bool = True,
        divisor: float = DIVISOR,
        rescale: bool = False,
    ) -> None:
        super().__init__(size, len(mean), decorrelate)
        above_zero("image.sd", sd)
        above_zero("image.divisor", divisor)
        self.decay = decay
        self.divisor = divisor
        self.rescale = rescale
        self.may_be_unbound = not rescale
        self.values = normal_values((self.channels, size, size // 2 + 1, 2), generators, sd)

    @override
    def forward(self) -> Tensor:
        pictures = self.bounded(pictures_of(self.values.float(), self.size, self.decay, self.divisor))
        return rescaled(pictures) if self.rescale else pictures

    @override
    def resampled(self, values: Tensor, size: int) -> Tensor:
        """Keep each frequency (in cycles per picture), drop those above the new limit, add zeros up to it."""
        # With decay 1 a coefficient means the same at every size; any other decay changes its unit.
        return same_frequencies(values, size) * (size / values.shape[2]) ** (1 - self.decay)


def pictures_of(coefficients: Tensor, size: int, decay: float, divisor: float = 1.0) -> Tensor:
    """Coefficients (N, C, size, size // 2 + 1, 2) to real values (N, C, size, size), divided by ``divisor``."""
    result: Tensor = _Inverse.apply(coefficients, _scales(size, decay, divisor, coefficients.device))
    return result


class _Inverse(torch.autograd.Function):
    """The inverse transform of scaled coefficients; the scale and ``irfft2``'s own factors of gradients in one pass."""

    @staticmethod
    def forward(ctx: Any, coefficients: Tensor, scales: tuple[Tensor, Tensor]) -> Tensor:
        scale, ctx.scale_back = scales
        size = len(scale)
        return torch.fft.irfft2(torch.view_as_complex(coefficients) * scale, s=(size, size), norm="ortho")

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        spectrum = torch.fft.rfft2(gradients[0], norm="ortho")
        return torch.view_as_real(spectrum.mul_(ctx.scale_back)), None


def coefficients_of(pictures: Tensor, decay: float) -> Tensor:
    """The inverse of ``pictures_of``."""
    scale = spectrum_scale(pictures.shape[-1], decay).to(pictures.device)
    return torch.view_as_real(torch.fft.rfft2(pictures, norm="ortho") / scale)


def same_frequencies(values: Tensor, size: int) -> Tensor:
    """Values (N, C, old, old // 2 + 1, ...) of frequencies for another size.

    Each frequency (in cycles per picture) keeps its value, those above the new limit are dropped, new ones are zero; so
    is the highest one of an even size, which has no counterpart.
    """
    highest = (min(values.shape[2], size) - 1) // 2  # frequency that both sizes have
    resized = values.new_zeros(*values.shape[:2], size, size // 2 + 1, *values.shape[4:])
    resized[:, :, : highest + 1, : highest + 1] = values[:, :, : highest + 1, : highest + 1]
    if highest:
        resized[:, :, -highest:, : highest + 1] = values[:, :, -highest:, : highest + 1]
    return resized


@lru_cache(maxsize=4)  # the same at every step
def _scales(size: int, decay: float, divisor: float, device: torch.device) -> tuple[Tensor, Tensor]:
    """What coefficients are multiplied with, and their gradients: all but the ends stand for two frequencies."""
    with torch.inference_mode(False):
        scale = spectrum_scale(size, decay) / divisor
        back = scale.clone()
        back[:, 1 : (size + 1) // 2] *= 2
        return scale.to(device), back.to(device)


def spectrum_scale(size: int, decay: float) -> Tensor:
    """What the coefficients (size, size // 2 + 1) are multiplied with."""
    vertical = torch.fft.fftfreq(size)[:, None]
    horizontal = torch.fft.rfftfreq(size)[None]
    frequency = (vertical**2 + horizontal**2).sqrt()
    return 1 / frequency.clamp_min(1 / size) ** decay


def rescaled(pictures: Tensor) -> Tensor:
    """Stretch each picture (N, C, H, W) to the whole of [0, 1]."""
    above = pictures - pictures.amin((1, 2, 3), keepdim=True)
    return above / above.amax((1, 2, 3), keepdim=True).clamp_min(torch.finfo(above.dtype).tiny)
