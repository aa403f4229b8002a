"""Resizing of the whole canvas."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

from torch import Tensor
from typing_extensions import override

from featviz.errors import FeatvizError
from featviz.models.frames import resized
from featviz.shapes import Shape, Size, check_size
from featviz.transforms.base import Transform, at_least_float32, size_for_network

MODES = ("bilinear", "bicubic")


@dataclass
class Resize(Transform):
    """Resample the canvas to ``size`` px, ``bilinear`` or ``bicubic``, with antialiasing.

    Without a size it is the network's own.
    """

    size: Size | None = None
    mode: str = "bilinear"

    def __post_init__(self) -> None:
        """Refuse another interpolation."""
        if self.size is not None:
            check_size("resize.size", self.size)
        if self.mode not in MODES:
            what = f"resize.mode is '{self.mode}'"
            raise FeatvizError(what, setting="resize.mode", got=self.mode, expected=" or ".join(MODES))

    @override
    def for_network(self, size: Size) -> Self:
        return replace(self, size=Shape.of(size).frame.size) if self.size is None else self

    @override
    def canvas(self, size: Size) -> Size:
        return size_for_network("resize", self.size)

    @override
    def __call__(self, pictures: Tensor, draws: Tensor, progress: float = 0.0) -> Tensor:
        shape = Shape.of(size_for_network("resize", self.size))
        if Shape(pictures.shape[2:]) == shape:
            return pictures
        return resized(at_least_float32(pictures), shape, self.mode, antialias=True).to(pictures.dtype)
