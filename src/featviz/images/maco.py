"""Pictures as phases, their magnitudes fixed to those of natural pictures."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from featviz.errors import FeatvizError
from featviz.images.base import Image
from featviz.images.color import bounded, decorrelating
from featviz.images.fourier import same_frequencies
from featviz.images.spectrum import spectrum_of


class MacoImage(Image):
    """Pictures as phases (N, C, H, W // 2 + 1), in radians once standardized (MACO, Fel et al. 2023, arXiv 2306.06805).

    Each step standardizes the phases of a picture (mean 0, standard deviation 1), gives them the fixed magnitudes, and
    standardizes the inverse Fourier transform too; then colors are correlated and a sigmoid follows. Phases start
    standard normal.

    ``spectrum`` holds the magnitudes: a file or a folder of photos (see ``spectrum_of``), or null for 1 / frequency.
    With ``value_range`` [low, high] the sigmoid's 0 and 1 are these values of what the network sees after its mean and
    std (serre-lab/Horama: -2.5 and 2.5); without, they are black and white.
    """

    magnitude: Tensor
    correlation: Tensor | None
    low: Tensor
    high: Tensor

    def __init__(
        self,
        size: int,
        generators: Sequence[torch.Generator],
        mean: Sequence[float],
        std: Sequence[float],
        spectrum: str | None = None,
        value_range: Sequence[float] | None = None,
    ) -> None:
        super().__init__(size, len(mean))
        self.spectrum = spectrum_of(spectrum, self.channels)
        self.register_buffer("magnitude", self.spectrum(size), persistent=False)
        self.register_buffer("correlation", decorrelating(self.channels), persistent=False)
        for name, bound in zip(("low", "high"), _bounds(value_range, mean, std), strict=True):
            self.register_buffer(name, bound.view(1, -1, 1, 1), persistent=False)
        shape = (self.channels, size, size // 2 + 1)
        self.values = nn.Parameter(torch.stack([torch.randn(shape, generator=g) for g in generators]))
        self.seeds = [int(torch.randint(2**62, (), generator=g)) for g in generators]  # of phases that upscaling adds

    def forward(self) -> Tensor:
        """Return the pictures, (N, C, H, W), in [0, 1] unless ``value_range`` reaches further."""
        phase = standardized(self.values.float())
        spectrum = torch.complex(self.magnitude * phase.cos(), self.magnitude * phase.sin())
        pictures = standardized(torch.fft.irfft2(spectrum, s=(self.size, self.size), norm="ortho"))
        return self.low + (self.high - self.low) * bounded(pictures, self.correlation)

    def resampled(self, values: Tensor, size: int) -> Tensor:
        """Keep each frequency (in cycles per picture), drop those above the new limit, add zeros up to it."""
        return same_frequencies(values, size)

    @torch.no_grad()
    def resize(self, size: int) -> None:
        """Upscale the pictures: frequencies keep their phases, new ones get random phases of the same mean and spread.

        With any others the standardization would change the phases that are kept.
        """
        if size == self.size:
            return
        before = self.values.data
        super().resize(size)
        kept = same_frequencies(torch.ones_like(before[:1]), size) > 0
        shape = self.values.shape[1:]
        drawn = torch.stack([torch.randn(shape, generator=torch.Generator().manual_seed(s)) for s in self.seeds])
        mean, std = before.mean((1, 2, 3), keepdim=True), before.std((1, 2, 3), correction=0, keepdim=True)
        self.values.data = torch.where(kept, self.values.data, mean + std * drawn.to(before))
        self.magnitude = self.spectrum(size).to(self.magnitude)


def standardized(values: Tensor) -> Tensor:
    """Each picture's values (N, C, H, W) with mean 0 and standard deviation 1."""
    centered = values - values.mean((1, 2, 3), keepdim=True)
    spread = centered.square().mean((1, 2, 3), keepdim=True).sqrt()
    return centered / spread.clamp_min(torch.finfo(values.dtype).tiny)


def _bounds(wanted: Sequence[float] | None, mean: Sequence[float], std: Sequence[float]) -> tuple[Tensor, Tensor]:
    """Lowest and highest value of a picture, (C,) each."""
    if wanted is None:
        return torch.zeros(len(mean)), torch.ones(len(mean))
    numbers = [value for value in wanted if isinstance(value, int | float)] if isinstance(wanted, Sequence) else []
    if len(numbers) != 2 or numbers[0] >= numbers[1]:
        raise FeatvizError(f"image.value_range is {wanted}; expected two numbers such as [-2.5,2.5], or null")
    low, high = (torch.tensor(mean) + value * torch.tensor(std) for value in numbers)
    return low, high
