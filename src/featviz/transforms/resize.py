"""Resizing of the whole canvas."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

from torch import Tensor
from torch.nn import functional as F
from typing_extensions import override

from featviz.errors import FeatvizError, at_least
from featviz.transforms.base import Transform, at_least_float32, size_for_network

MODES = ("bilinear", "bicubic")


@dataclass
class Resize(Transform):
    """Resample the canvas to ``size`` px, ``bilinear`` or ``bicubic``, with antialiasing.

    Without a size it is the network's own.
    """

    size: int | None = None
    mode: str = "bilinear"

    def __post_init__(self) -> None:
        """Refuse another interpolation."""
        if self.size is not None:
            at_least("resize.size", self.size, 1)
        if self.mode not in MODES:
            what = f"resize.mode is '{self.mode}'"
            raise FeatvizError(what, setting="resize.mode", got=self.mode, expected=" or ".join(MODES))

    @override
    def for_network(self, size: int) -> Self:
        return replace(self, size=size) if self.size is None else self

    @override
    def canvas(self, size: int) -> int:
        return size_for_network("resize", self.size)

    @override
    def __call__(self, pictures: Tensor, draws: Tensor, progress: float = 0.0) -> Tensor:
        side = size_for_network("resize", self.size)
        shape = (side, side)
        if pictures.shape[2:] == shape:
            return pictures
        resized = F.interpolate(at_least_float32(pictures), shape, mode=self.mode, align_corners=False, antialias=True)
        return resized.to(pictures.dtype)
