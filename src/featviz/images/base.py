"""What every parametrization of pictures can do."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

import torch
from torch import Tensor, nn

from featviz.errors import FeatvizError


class Image(nn.Module, ABC):
    """A batch of N pictures as one learnable parameter, ``values``, whose first axis is N.

    Calling it gives the pictures (N, channels, size, size), in [0, 1] unless a subclass says otherwise.
    """

    values: nn.Parameter

    def __init__(self, size: int, channels: int) -> None:
        super().__init__()
        self.size = size
        self.channels = channels

    @abstractmethod
    def forward(self) -> Tensor:
        """Return the pictures, (N, channels, size, size)."""

    @abstractmethod
    def resampled(self, values: Tensor, size: int) -> Tensor:
        """Values, or an optimizer's averages of them, for pictures of another size. Linear in ``values``."""

    def project(self, change: Callable[[Tensor], Tensor]) -> None:
        """Replace the pictures by ``change(pictures)``; only images made of pixels can."""
        raise FeatvizError(
            f"projections and blur between sizes change pixels, but the image is {type(self).__name__}: "
            "choose image=pixel, or projections=none and schedule.blur=null"
        )

    @torch.no_grad()
    def resize(self, size: int) -> None:
        """Upscale the pictures. The parameter stays the same object, so an optimizer goes on with it."""
        self.values.grad = None
        self.values.data = self.resampled(self.values.data, size)
        self.size = size


def check_pixels(image: Image, what: str) -> None:
    """Raise FeatvizError, naming ``what`` changes pixels, for an image that is not made of pixels."""
    if type(image).project is Image.project:
        raise FeatvizError(
            f"{what} changes pixels, but the image is {type(image).__name__}: choose image=pixel, or "
            f"{what.partition('.')[0]}=none"
        )
