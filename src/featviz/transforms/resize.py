"""Resizing of the whole canvas."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional as F
from typing_extensions import override

from featviz.errors import FeatvizError, at_least
from featviz.transforms.base import Transform, at_least_float32

MODES = ("bilinear", "bicubic")


@dataclass
class Resize(Transform):
    """Resample the canvas to ``size`` px, ``bilinear`` or ``bicubic``, with antialiasing."""

    size: int
    mode: str = "bilinear"

    def __post_init__(self) -> None:
        """Refuse another interpolation."""
        at_least("resize.size", self.size, 1)
        if self.mode not in MODES:
            what = f"resize.mode is '{self.mode}'"
            raise FeatvizError(what, setting="resize.mode", got=self.mode, expected=" or ".join(MODES))

    @override
    def canvas(self, size: int) -> int:
        return self.size

    @override
    def __call__(self, pictures: Tensor, draws: Tensor, progress: float = 0.0) -> Tensor:
        if pictures.shape[2:] == (self.size, self.size):
            return pictures
        shape = (self.size, self.size)
        resized = F.interpolate(at_least_float32(pictures), shape, mode=self.mode, align_corners=False, antialias=True)
        return resized.to(pictures.dtype)
