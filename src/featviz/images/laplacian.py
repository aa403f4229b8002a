"""Pictures as Laplacian pyramids."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from typing_extensions import override

from featviz.errors import FeatvizError, above_zero, at_least
from featviz.images.base import Image, normal_values
from featviz.models.frames import resized
from featviz.shapes import Shape, Size


class LaplacianImage(Image):
    """Pictures as sums of ``levels`` pictures, each half as large as the one before (tensorflow/lucid, four of them).

    ``values`` (N, total) hold the levels one after another, the largest first, each (C, H // 2^k, W // 2^k), and of
    films T // 2^k frames. They are upsampled (bilinear), added, brought from decorrelated colors to RGB, and put
    through a sigmoid. Starts from normal values of standard deviation ``sd``.
    """

    takes_films = True

    def __init__(
        self,
        size: Size,
        generators: Sequence[torch.Generator],
        mean: Sequence[float],
        std: Sequence[float],
        levels: int = 4,
        sd: float = 0.01,
        decorrelate: bool = True,
    ) -> None:
        super().__init__(size, len(mean), decorrelate)
        at_least("image.levels", levels, 1)
        most = min(self.shape.frame).bit_length()  # the smallest level then is one pixel
        if levels > most:
            expected = f"1 to {most} for a picture of {self.shape} px"
            raise FeatvizError(setting="image.levels", got=levels, expected=expected)
        above_zero("image.sd", sd)
        self.levels = levels
        self.may_be_unbound = True
        self.values = normal_values([sum(self._counts(self.shape))], generators, sd)

    @override
    def forward(self) -> Tensor:
        levels = self._split(self.values, self.shape)
        pictures = levels[0] + sum(resized(level, self.shape) for level in levels[1:])
        return self.bounded(pictures)

    @override
    def resampled(self, values: Tensor, size: Size) -> Tensor:
        """Each level by itself, bilinear."""
        levels = zip(self._split(values, self.shape), self._shapes(Shape.of(size)), strict=True)
        return torch.cat([resized(level, shape).flatten(1) for level, shape in levels], 1)

    def _shapes(self, shape: Shape) -> list[Shape]:
        return [Shape(max(1, side >> level) for side in shape) for level in range(self.levels)]

    def _counts(self, shape: Shape) -> list[int]:
        return [self.channels * level.values for level in self._shapes(shape)]

    def _split(self, values: Tensor, shape: Shape) -> list[Tensor]:
        """The levels, (N, C, height, width) each."""
        parts = torch.split(values, self._counts(shape), 1)
        return [
            part.view(len(values), self.channels, *level)
            for part, level in zip(parts, self._shapes(shape), strict=True)
        ]
