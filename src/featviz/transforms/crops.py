"""Random boxes of a picture, resized to the network's input."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor
from torchvision.ops import roi_align
from typing_extensions import override

from featviz.errors import FeatvizError, at_least
from featviz.shapes import Shape, Size, check_size
from featviz.transforms.base import GRAY, Transform, at_least_float32, normals, size_for_network


@dataclass
class Crops(Transform, ABC):
    """``count`` boxes of each picture, of its proportions, resized (MACO, Fel et al. 2023, arXiv 2306.06805).

    They get ``size`` px, or without it the network's own size.

    Positions and sides are shares of the picture's sides. A box's center is normal about the picture's center with a
    deviation of ``center_std``, and what lies outside the picture has the value ``fill``; where it is null, a box lies
    anywhere inside. Where a box is larger than ``size``, a new pixel is the mean of as many bilinear samples as there
    are old ones in it (region alignment, He et al. 2017, arXiv 1703.06870), so that detail is averaged, not skipped.
    """

    count: int
    size: Size | None = None
    center_std: float | None = 0.15
    fill: float = GRAY

    def __post_init__(self) -> None:
        """Refuse no crops, and crops without pixels."""
        at_least("crops.count", self.count, 1)
        if self.size is not None:
            check_size("crops.size", self.size)
        if self.center_std is not None:
            at_least("crops.center_std", self.center_std, 0)
        self.copies, self.draws = self.count, 3 * self.count

    @abstractmethod
    def sides(self, draws: Tensor, progress: float) -> Tensor:
        """The boxes' sides by their draws, of the same shape."""

    @override
    def for_network(self, size: Size) -> Self:
        return replace(self, size=Shape.of(size).frame.size) if self.size is None else self

    @override
    def canvas(self, size: Size) -> Size:
        return size_for_network("crops", self.size)

    @override
    def __call__(self, pictures: Tensor, draws: Tensor, progress: float = 0.0) -> Tensor:
        drawn = draws.view(len(pictures), self.count, 3).transpose(0, 1).flatten(0, 1)
        height, width = pictures.shape[2:]
        corners = self.boxes(drawn, progress) * torch.tensor([width, height, width, height])
        whose = torch.arange(len(pictures)).repeat(self.count).to(corners)
        precise = at_least_float32(pictures)
        boxes = torch.cat([whose[:, None], corners], 1).to(precise, non_blocking=True)
        shape = Shape.of(size_for_network("crops", self.size))
        return (roi_align(precise - self.fill, boxes, tuple(shape), aligned=True) + self.fill).to(pictures.dtype)

    def boxes(self, draws: Tensor, progress: float) -> Tensor:
        """Left, top, right and bottom of boxes, (boxes, 4), by their draws (boxes, 3)."""
        half = self.sides(draws[:, 2:], progress) / 2
        if self.center_std is None:
            centers = half + (1 - 2 * half) * draws[:, :2]
        else:
            centers = 0.5 + self.center_std * normals(draws[:, :2])
        return torch.cat([centers - half, centers + half], 1)


@dataclass
class NormalCrops(Crops):
    """Boxes whose sides are normal about a mean that goes from ``start`` to ``end`` over the run (MACO).

    Their deviation is ``std``; they are kept between ``smallest`` and ``largest``.
    """

    start: float = 0.5
    end: float = 0.05
    std: float = 0.05
    smallest: float = 0.05
    largest: float = 1.0

    def __post_init__(self) -> None:
        """Refuse empty boxes."""
        super().__post_init__()
        at_least("crops.std", self.std, 0)
        _check_sides("smallest", self.smallest, "largest", self.largest)

    @override
    def sides(self, draws: Tensor, progress: float) -> Tensor:
        mean = self.start + (self.end - self.start) * progress
        return (mean + self.std * normals(draws)).clamp(self.smallest, self.largest)


@dataclass
class UniformCrops(Crops):
    """Boxes whose sides lie evenly between ``low`` and ``high``."""

    low: float = 0.05
    high: float = 0.99

    def __post_init__(self) -> None:
        """Refuse empty boxes."""
        super().__post_init__()
        _check_sides("low", self.low, "high", self.high)

    @override
    def sides(self, draws: Tensor, progress: float) -> Tensor:
        return self.low + (self.high - self.low) * draws


def _check_sides(low_name: str, low: float, high_name: str, high: float) -> None:
    if not 0 < low <= high <= 1:
        raise FeatvizError(
            f"crops: {low_name} is {low} and {high_name} is {high}",
            setting=f"crops.{low_name}",
            got=low,
            expected=f"shares of the picture's side, above 0 and at most 1, {low_name} not above {high_name}",
        )
