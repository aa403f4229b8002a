"""Pictures as Laplacian pyramids."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count

import torch
from torch import Tensor
from torch.nn import functional as F
from typing_extensions import override

from featviz.errors import FeatvizError, above_zero, at_least
from featviz.images.base import Image, normal_values


class LaplacianImage(Image):
    """Pictures as sums of ``levels`` pictures, each half as large as the one before (tensorflow/lucid, four of them).

    ``values`` (N, total) hold the levels one after another, the largest first, each (C, size // 2^k, size // 2^k). They
    are upsampled (bilinear), added, brought from decorrelated colors to RGB, and put through a sigmoid. Starts from
    normal values of standard deviation ``sd``.
    """

    def __init__(
        self,
        size: int,
        generators: Sequence[torch.Generator],
        mean: Sequence[float],
        std: Sequence[float],
        levels: int = 4,
        sd: float = 0.01,
        decorrelate: bool = True,
    ) -> None:
        super().__init__(size, len(mean), decorrelate)
        at_least("image.levels", levels, 1)
        most = size.bit_length()  # the smallest level then is one pixel
        if levels > most:
            expected = f"1 to {most} for a picture of {size} px"
            raise FeatvizError(setting="image.levels", got=levels, expected=expected)
        above_zero("image.sd", sd)
        self.levels = levels
        self.may_be_unbound = True
        self.values = normal_values([sum(self._counts(size))], generators, sd)

    @override
    def forward(self) -> Tensor:
        levels = self._split(self.values, self.size)
        pictures = levels[0] + sum(_resized(level, self.size) for level in levels[1:])
        return self.bounded(pictures)

    @override
    def resampled(self, values: Tensor, size: int) -> Tensor:
        """Each level by itself, bilinear."""
        old = next(side for side in count(1) if sum(self._counts(side)) == values.shape[1])
        levels = zip(self._split(values, old), self._sides(size), strict=True)
        return torch.cat([_resized(level, side).flatten(1) for level, side in levels], 1)

    def _sides(self, size: int) -> list[int]:
        return [max(1, size >> level) for level in range(self.levels)]

    def _counts(self, size: int) -> list[int]:
        return [self.channels * side**2 for side in self._sides(size)]

    def _split(self, values: Tensor, size: int) -> list[Tensor]:
        """The levels, (N, C, side, side) each."""
        parts = torch.split(values, self._counts(size), 1)
        return [
            part.view(len(values), self.channels, side, side)
            for part, side in zip(parts, self._sides(size), strict=True)
        ]


def _resized(level: Tensor, size: int) -> Tensor:
    return F.interpolate(level, (size, size), mode="bilinear", align_corners=False)
