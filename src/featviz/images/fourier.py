"""Pictures as Fourier coefficients."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from featviz.errors import FeatvizError
from featviz.images.colour import correlation_matrix, mix
from featviz.images.image import Image

CONTRAST = 4.0  # lucid divides by it, so that noise of std 0.01 gives a soft grey start


class FourierImage(Image):
    """Pictures as coefficients (N, C, H, W // 2 + 1, 2) of a real Fourier transform (Olah et al. 2017, lucid).

    Each coefficient is scaled by ``1 / max(frequency, 1 / size) ** decay`` (frequency in cycles per pixel), so that
    low and high frequencies learn alike; then inverse transform (orthonormal), division by 4, colours
    correlated, sigmoid. Starts from normal coefficients of ``std``, one generator for each picture.
    """

    correlation: Tensor | None

    def __init__(
        self,
        size: int,
        generators: Sequence[torch.Generator],
        mean: Sequence[float],
        std: Sequence[float],
        sd: float = 0.01,
        decay: float = 1.0,
        decorrelate: bool = True,
    ) -> None:
        super().__init__(size, len(mean))
        if sd <= 0:
            raise FeatvizError(f"image.sd is {sd}; expected a number above zero")
        self.decay = decay
        matrix = correlation_matrix(self.channels) if decorrelate and self.channels == 3 else None
        self.register_buffer("correlation", matrix, persistent=False)
        shape = (self.channels, size, size // 2 + 1, 2)
        self.values = nn.Parameter(torch.stack([sd * torch.randn(shape, generator=g) for g in generators]))

    def forward(self) -> Tensor:
        """Return the pictures, (N, C, H, W) in [0, 1]."""
        scale = spectrum_scale(self.size, self.decay).to(self.values.device)
        spectrum = torch.view_as_complex(self.values.float()) * scale
        pictures = torch.fft.irfft2(spectrum, s=(self.size, self.size), norm="ortho") / CONTRAST
        if self.correlation is not None:
            pictures = mix(pictures, self.correlation)
        return pictures.sigmoid()

    def resampled(self, values: Tensor, size: int) -> Tensor:
        """Keep each frequency (in cycles per picture), drop those above the new limit, add zeros up to it."""
        old = values.shape[2]
        kept = (min(old, size) - 1) // 2
        grown = values.new_zeros(*values.shape[:2], size, size // 2 + 1, 2)
        grown[:, :, : kept + 1, : kept + 1] = values[:, :, : kept + 1, : kept + 1]
        if kept:
            grown[:, :, -kept:, : kept + 1] = values[:, :, -kept:, : kept + 1]
        # With decay 1 a coefficient means the same at every size; any other decay changes its unit.
        return grown * (size / old) ** (1 - self.decay)


def spectrum_scale(size: int, decay: float) -> Tensor:
    """What the coefficients (size, size // 2 + 1) are multiplied with."""
    vertical = torch.fft.fftfreq(size)[:, None]
    horizontal = torch.fft.rfftfreq(size)[None]
    frequency = (vertical**2 + horizontal**2).sqrt()
    return 1 / frequency.clamp_min(1 / size) ** decay
