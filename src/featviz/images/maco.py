"""Pictures as phases, their magnitudes fixed to those of natural pictures."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from typing_extensions import override

from featviz.errors import FeatvizError
from featviz.images.base import Image, normal_values
from featviz.images.fourier import half_spectrum, same_frequencies
from featviz.images.spectrum import check_source, spectrum_of
from featviz.shapes import Shape, Size


class MacoImage(Image):
    """Pictures as phases (N, C, H, W // 2 + 1), in radians once standardized (MACO, Fel et al. 2023, arXiv 2306.06805).

    Each step standardizes the phases of a picture (mean 0, standard deviation 1), gives them the fixed magnitudes, and
    standardizes the inverse Fourier transform too; then colors are correlated and a sigmoid follows. Phases start
    standard normal.

    In the columns of frequency 0 and of the highest one, where a frequency and its negative stand both, half their
    difference is the phase, as the inverse transform has it; the source loses magnitude there, down to a hundredth. The
    four coefficients that are their own negatives are real: their magnitude is times the cosine of the phase.

    ``spectrum`` holds the magnitudes: ``imagenet``, a file or a folder of photos (see ``spectrum_of``), or null for
    1 / frequency.
    With ``value_range`` [low, high] the sigmoid's 0 and 1 are these values of what the network sees after its mean and
    std (serre-lab/Horama: -2.5 and 2.5); without, they are black and white.
    """

    magnitude: Tensor
    low: Tensor
    high: Tensor

    def __init__(
        self,
        size: Size,
        generators: Sequence[torch.Generator],
        mean: Sequence[float],
        std: Sequence[float],
        spectrum: str | None = None,
        value_range: Sequence[float] | None = None,
    ) -> None:
        check_source(spectrum)
        super().__init__(size, len(mean), decorrelate=True)
        self.spectrum = spectrum_of(spectrum, self.channels)
        self.register_buffer("magnitude", self._magnitude(self.shape), persistent=False)
        for name, bound in zip(("low", "high"), bounds_of(value_range, mean, std), strict=True):
            self.register_buffer(name, bound.view(1, -1, 1, 1), persistent=False)
        self.values = normal_values((self.channels, *half_spectrum(self.shape)), generators, 1.0)
        self.seeds = [int(torch.randint(2**62, (), generator=g)) for g in generators]  # of phases that upscaling adds

    @override
    def forward(self) -> Tensor:
        phase = conjugate(standardized(self.values.float()), self.shape)
        spectrum = torch.complex(self.magnitude * phase.cos(), self.magnitude * phase.sin())
        pictures = standardized(torch.fft.irfft2(spectrum, s=self.shape, norm="ortho"))
        return self.low + (self.high - self.low) * self.bounded(pictures)

    @override
    def resampled(self, values: Tensor, size: Size) -> Tensor:
        """Keep each frequency (in cycles per picture), drop those above the new limit, add zeros up to it."""
        return same_frequencies(values, self.shape, Shape.of(size))

    @override
    @torch.no_grad()
    def resize(self, size: Size) -> None:
        """Upscale the pictures: frequencies keep their phases; new ones get random phases of the same mean and std.

        With any others the standardization would change the phases of the old frequencies.
        """
        if Shape.of(size) == self.shape:
            return
        before = self.values.data
        old = self.resampled(torch.ones_like(before[:1]), size) > 0
        super().resize(size)
        shape = self.values.shape[1:]
        drawn = torch.stack([torch.randn(shape, generator=torch.Generator().manual_seed(s)) for s in self.seeds])
        mean, std = before.mean((1, 2, 3), keepdim=True), before.std((1, 2, 3), correction=0, keepdim=True)
        self.values.data = torch.where(old, self.values.data, mean + std * drawn.to(before))
        self.magnitude = self._magnitude(self.shape).to(self.magnitude)

    def _magnitude(self, shape: Shape) -> Tensor:
        """The spectrum of a shape; a frequency and its negative have the same."""
        magnitude = self.spectrum(shape)
        columns = _columns_of_both(shape[-1])
        magnitude[:, :, columns] = (magnitude[:, :, columns] + _negated(magnitude[:, :, columns])) / 2
        return magnitude


def conjugate(phase: Tensor, size: Size) -> Tensor:
    """Phases (N, C, H, W // 2 + 1) of a real picture: those of a frequency and its negative are opposite.

    Both stand in the columns of frequency 0 and, for an even width, of the highest one.
    """
    height, width = Shape.of(size)
    columns = _columns_of_both(width)
    both = phase[:, :, :, columns]
    opposite = (both - _negated(both)) / 2
    real = torch.zeros(height, 1, dtype=torch.bool, device=phase.device)
    real[:: max(height // 2, 1) if height % 2 == 0 else height] = True  # frequency 0, and the highest of an even one
    opposite = torch.where(real, both, opposite)
    middle = phase[..., 1 : phase.shape[3] - len(columns) + 1]
    return torch.cat([opposite[..., :1], middle, opposite[..., 1:]], 3)


def _columns_of_both(width: int) -> list[int]:
    """The columns in which a frequency and its negative stand both."""
    return [0] if width % 2 else [0, width // 2]


def _negated(values: Tensor) -> Tensor:
    """Values (..., H, columns) with those of each vertical frequency in the place of its negative."""
    return values.flip(-2).roll(1, -2)


def standardized(values: Tensor) -> Tensor:
    """Each picture's values (N, C, H, W) with mean 0 and standard deviation 1."""
    centered = values - values.mean((1, 2, 3), keepdim=True)
    std = centered.square().mean((1, 2, 3), keepdim=True).sqrt()
    return centered / std.clamp_min(torch.finfo(values.dtype).tiny)


def bounds_of(
    value_range: Sequence[float] | None, mean: Sequence[float], std: Sequence[float]
) -> tuple[Tensor, Tensor]:
    """Lowest and highest value of a picture, (C,) each."""
    if value_range is None:
        return torch.zeros(len(mean)), torch.ones(len(mean))
    values = value_range if isinstance(value_range, Sequence) else []
    numbers = [value for value in values if isinstance(value, int | float)]
    if len(numbers) != 2 or numbers[0] >= numbers[1]:
        expected = "two numbers such as [-2.5,2.5], or null"
        raise FeatvizError(setting="image.value_range", got=value_range, expected=expected)
    low, high = (torch.tensor(mean) + value * torch.tensor(std) for value in numbers)
    return low, high
