"""Pictures as pixels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from typing_extensions import override

from featviz.errors import FeatvizError, one_of
from featviz.images.base import Image
from featviz.images.init import Init
from featviz.models.frames import for_channels, resized
from featviz.shapes import Shape, Size

COLORS = ("rgb", "decorrelated")
BOUNDS = ("sigmoid", "clip", "none")
SPACES = ("picture", "model")
EDGE = 1e-4  # a sigmoid cannot reach 0 and 1: starts are moved this far inside


class PixelImage(Image):
    """Pictures as learnable pixels (N, C, H, W), or films (N, C, T, H, W).

    ``init`` draws a picture from a generator, of which there is one for each picture (see ``init.py``). ``color`` is
    ``rgb`` or ``decorrelated`` (lucid's color space). ``bound`` keeps pictures in [0, 1]: by ``sigmoid``, by ``clip``
    (pixels outside still follow a gradient that leads back), or not at all (``none``). In ``space: model`` the pixels
    are those that the network sees, after its mean and std: an optimizer's step then has that unit.
    """

    takes_films = True

    def __init__(
        self,
        size: Size,
        generators: Sequence[torch.Generator],
        mean: Sequence[float],
        std: Sequence[float],
        init: Init,
        color: str = "rgb",
        bound: str = "sigmoid",
        space: str = "picture",
    ) -> None:
        super().__init__(size, len(mean), decorrelate=color == "decorrelated")
        one_of("image.color", color, COLORS)
        one_of("image.bound", bound, BOUNDS)
        one_of("image.space", space, SPACES)
        if color == "decorrelated" and self.channels != 3:
            raise FeatvizError(
                f"decorrelated color needs 3 channels, but the network takes {self.channels}",
                setting="image.color",
                got=color,
                expected="image.color=rgb",
            )
        self.bound, self._in_picture_space = bound, space == "picture"
        scale, shift = (std, mean) if space == "model" else ([1.0] * self.channels, [0.0] * self.channels)
        for name, numbers in (("scale", scale), ("shift", shift)):
            self.register_buffer(name, for_channels(torch.tensor(numbers), len(self.shape)), persistent=False)
        of_data = (mean, std) if getattr(init, "needs_std", False) else (mean,)
        pictures = torch.stack([init((self.channels, *self.shape), generator, *of_data) for generator in generators])
        self.values = nn.Parameter(self._values(pictures))

    @override
    def forward(self) -> Tensor:
        pictures = self._unbounded(self.values)
        if self.bound == "sigmoid":
            return pictures.sigmoid()
        return clip_with_way_back(pictures) if self.bound == "clip" else pictures

    @override
    def unbound(self, mean: Sequence[float], std: Sequence[float]) -> None:
        if self.bound != "none":
            what = f"model.range is none, but image.bound is {self.bound}"
            raise FeatvizError(what, setting="image.bound", got=self.bound, expected="image.bound=none")
        self.has_bounds = False

    @override
    def resampled(self, values: Tensor, size: Size) -> Tensor:
        """Bicubic (a = -0.75), as OpenCV's INTER_CUBIC; linear over time."""
        return resized(values, Shape.of(size), "bicubic")

    @override
    @torch.no_grad()
    def project(self, change: Callable[[Tensor], Tensor]) -> None:
        pictures = self._unbounded(self.values)
        changed = change(pictures.sigmoid() if self.bound == "sigmoid" else pictures)
        self.values.data = self._values(changed)

    def _unbounded(self, values: Tensor) -> Tensor:
        return self.correlated(values if self._in_picture_space else values * self.scale + self.shift)

    def _values(self, pictures: Tensor) -> Tensor:
        """The values that give these pictures: the inverse of ``forward``."""
        if self.bound == "sigmoid":
            pictures = pictures.clamp(EDGE, 1 - EDGE).logit()
        values = self.decorrelated(pictures)
        return values if self._in_picture_space else (values - self.shift) / self.scale


def clip_with_way_back(pictures: Tensor) -> Tensor:
    """Clip to [0, 1]; a gradient step that would lead a pixel further outside is dropped, one back inside kept."""
    return _ClipWithWayBack.apply(pictures)


class _ClipWithWayBack(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, pictures: Tensor) -> Tensor:
        ctx.save_for_backward(pictures)
        return pictures.clamp(0, 1)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Tensor:
        (pictures,), (gradient,) = ctx.saved_tensors, gradients
        outside = pictures - pictures.clamp(0, 1)
        return torch.where(gradient * outside < 0, torch.zeros_like(gradient), gradient)
