"""The base class of all parametrizations: their sizes, colors and bounds."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from featviz.errors import FeatvizError
from featviz.images.color import bounded, correlation_matrix, mix
from featviz.models.frames import for_channels
from featviz.shapes import Shape, Size
from featviz.transforms.base import Transform


class Image(nn.Module, ABC):
    """A batch of N pictures as one learnable parameter, ``values``, whose first axis is N.

    Calling it gives the pictures (N, channels, height, width), or films (N, channels, frames, height, width), in [0, 1]
    unless a subclass says otherwise.

    Args:
        size: of the pictures, in px: 64 for a square, (36, 64) for height and width, (40, 36, 64) for a film.
        channels: what the network takes.
        decorrelate: the values are in the decorrelated color space of natural images (lucid); pictures of other than
            three channels have no such space, and stay as they are.
    """

    values: nn.Parameter
    background: Transform | None = None  # of pictures with a channel more, alpha: what they are laid over in each step
    correlation: Tensor | None  # (3, 3), from decorrelated to RGB values
    may_be_unbound = False  # whether ``unbound`` can take the bounds away
    has_bounds = True
    shift: Tensor  # of a network whose values have no bounds, in a shape that goes with pictures: see ``unbound``
    scale: Tensor
    takes_films: bool = False

    def __init__(self, size: Size, channels: int, decorrelate: bool = False) -> None:
        super().__init__()
        self.shape = Shape.of(size)
        if self.shape.is_film and not self.takes_films:
            what = f"{type(self).__name__} makes pictures, not films of {self.shape} px"
            raise FeatvizError(what, setting="image", got=type(self).__name__, expected="image=fourier or image=pixel")
        self.channels = channels
        matrix = correlation_matrix() if decorrelate and channels == 3 else None
        self.register_buffer("correlation", matrix, persistent=False)

    @property
    def size(self) -> Size:
        """Of the pictures, in px: one number for a square, else height and width, behind the frames of a film."""
        return self.shape.size

    @abstractmethod
    def forward(self) -> Tensor:
        """Return the pictures, (N, channels, height, width), or films."""

    @abstractmethod
    def resampled(self, values: Tensor, size: Size) -> Tensor:
        """Values, or an optimizer's averages of them, for pictures of another size than ``self.size``.

        Linear in ``values``.
        """

    def correlated(self, values: Tensor) -> Tensor:
        """Values (N, C, H, W) in RGB, where they are in decorrelated colors."""
        return mix(values, self.correlation)

    def decorrelated(self, values: Tensor) -> Tensor:
        """The inverse of ``correlated``."""
        return values if self.correlation is None else mix(values, self.correlation.to(values.device).inverse())

    def bounded(self, values: Tensor) -> Tensor:
        """Pictures of values (N, C, H, W) without bounds: ``correlated``, then a sigmoid; or see ``unbound``."""
        if not self.has_bounds:
            return self.correlated(values) * self.scale + self.shift
        return bounded(values, self.correlation)

    def unbound(self, mean: Sequence[float], std: Sequence[float]) -> None:
        """Let pictures have values without bounds: for a network whose values have none (``model.range=none``).

        What would go through the sigmoid is then counted in deviations, ``std``, from the ``mean`` of the data.
        """
        if not self.may_be_unbound:
            kind = type(self).__name__
            what = f"model.range is none, but pictures of {kind} have bounds"
            raise FeatvizError(
                what, setting="image", got=kind, expected="image=fourier, or image=pixel image.bound=none"
            )
        for name, numbers in (("shift", mean), ("scale", std)):
            self.register_buffer(name, for_channels(torch.tensor(numbers), len(self.shape)), persistent=False)
        self.has_bounds = False

    def project(self, change: Callable[[Tensor], Tensor]) -> None:
        """Replace the pictures by ``change(pictures)``; only images made of pixels can."""
        kind, hint = type(self).__name__, "choose image=pixel, or projections=none and schedule.blur=null"
        what = f"projections and blur between sizes change pixels, but the image is {kind}: {hint}"
        raise FeatvizError(what, setting="image", got=kind, hint=hint)

    @torch.no_grad()
    def resize(self, size: Size) -> None:
        """Upscale the pictures. The parameter stays the same object, so an optimizer goes on with it."""
        self.values.grad = None
        self.values.data = self.resampled(self.values.data, size)
        self.shape = Shape.of(size)


def check_pixels(image: Image, what: str) -> None:
    """Raise FeatvizError, naming ``what`` changes pixels, for an image that is not made of pixels."""
    if type(image).project is Image.project:
        kind, hint = type(image).__name__, f"choose image=pixel, or {what.partition('.')[0]}=none"
        raise FeatvizError(
            f"{what} changes pixels, but the image is {kind}: {hint}", setting="image", got=kind, hint=hint
        )


def normal_values(shape: Sequence[int], generators: Sequence[torch.Generator], std: float) -> nn.Parameter:
    """Normal values (N, *shape) of mean 0, one generator for each picture, so that none depends on its neighbors."""
    return nn.Parameter(torch.stack([std * torch.randn(tuple(shape), generator=g) for g in generators]))
