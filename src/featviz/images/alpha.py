"""Pictures with a transparency that is learned with them (tensorflow/lucid)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from typing_extensions import override

from featviz.errors import at_least
from featviz.images.base import normal_values
from featviz.images.color import bounded, correlation_matrix
from featviz.images.fourier import DIVISOR, FourierImage, half_spectrum, pictures_of
from featviz.shapes import Shape, Size
from featviz.transforms.base import Transform, generators


class AlphaImage(FourierImage):
    """A ``FourierImage`` with one channel more, its alpha: 0 is transparent, 1 opaque (transparency.ipynb in lucid).

    Its pictures are (N, channels + 1, height, width), alpha last. In each step they are laid over other random
    pictures, before all transforms, so that what the filter does not care for need not be there. ``background`` is the
    standard deviation of these pictures' coefficients. Alone that leaves pictures opaque: ``regularizers=mean_alpha``
    makes them transparent where they can be.
    """

    takes_films = False

    def __init__(
        self,
        size: Size,
        generators: Sequence[torch.Generator],
        mean: Sequence[float],
        std: Sequence[float],
        sd: float = 0.01,
        decay: float = 1.0,
        decorrelate: bool = True,
        divisor: float = DIVISOR,
        background: float = 0.5,
    ) -> None:
        super().__init__(size, generators, mean, std, sd, decay, decorrelate, divisor)
        self.may_be_unbound = False
        self.background = RandomBackground(background, self.channels, decorrelate)
        alpha = normal_values((1, *half_spectrum(self.shape), 2), generators, sd)
        self.values = torch.nn.Parameter(torch.cat([self.values.data, alpha.data], 1))

    @override
    def forward(self) -> Tensor:
        values = pictures_of(self.values.float(), self.shape, self.decay, self.divisor)
        return torch.cat([self.bounded(values[:, :-1].contiguous()), values[:, -1:].sigmoid()], 1)


@dataclass
class RandomBackground(Transform):
    """Lays pictures (N, channels + 1, H, W), alpha last, over random ones of ``channels`` (lucid).

    These are ``FourierImage``s of coefficients of the deviation ``sd``: colored noise of high contrast.
    """

    sd: float
    channels: int
    decorrelate: bool = True
    draws = 2

    def __post_init__(self) -> None:
        """Refuse a negative deviation."""
        at_least("image.background", self.sd, 0)

    @override
    def __call__(self, pictures: Tensor, draws: Tensor, progress: float = 0.0) -> Tensor:
        shape = Shape(pictures.shape[2:])
        of_each = (self.channels, *half_spectrum(shape), 2)
        coefficients = torch.stack([torch.randn(of_each, generator=generator) for generator in generators(draws)])
        behind = pictures_of(self.sd * coefficients.to(pictures.device), shape, 1.0, DIVISOR)
        colored = self.decorrelate and self.channels == 3
        matrix = correlation_matrix().to(pictures.device) if colored else None
        return over(pictures, bounded(behind, matrix).to(pictures))


def over(pictures: Tensor, background: Tensor | float) -> Tensor:
    """Pictures (N, channels + 1, H, W), alpha last, over a background: (N, channels, H, W)."""
    colors, alpha = pictures[:, :-1], pictures[:, -1:]
    return alpha * colors + (1 - alpha) * background
