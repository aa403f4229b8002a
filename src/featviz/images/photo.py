"""Pictures that start from a photo."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F
from typing_extensions import override

from featviz.errors import FeatvizError, at_least
from featviz.images.base import Image, normal_values
from featviz.images.fourier import DIVISOR, coefficients_of, pictures_of, same_frequencies
from featviz.images.pixel import EDGE, clip_with_way_back
from featviz.photos.files import fit_photo, read_photo


class PhotoImage(Image):
    """A photo, and what is added to it: ``values`` of zero are the photo, at every size.

    ``path`` is the photo, cut to a square. ``noise`` is the standard deviation of the values at the start, from one
    generator for each picture, so that variants differ.
    """

    base: Tensor

    def __init__(
        self,
        size: int,
        generators: Sequence[torch.Generator],
        mean: Sequence[float],
        std: Sequence[float],
        path: str | None = None,
        noise: float = 0.0,
    ) -> None:
        super().__init__(size, len(mean), decorrelate=True)
        if path is None:
            raise FeatvizError(
                "image.path is missing: give it on the command line, image.path=PHOTO", setting="image.path"
            )
        at_least("image.noise", noise, 0)
        self.photo = read_photo(path)
        self.register_buffer("base", self._fitted(size), persistent=False)
        self.values = normal_values(self._shape(size), generators, noise)

    @abstractmethod
    def _encoded(self, photo: Tensor) -> Tensor:
        """What ``forward`` makes the photo (1, C, H, W) in [0, 1] of."""

    @abstractmethod
    def _shape(self, size: int) -> tuple[int, ...]:
        """The shape of one picture's values."""

    @override
    @torch.no_grad()
    def resize(self, size: int) -> None:
        """Upscale what has been added; the photo comes in at its own resolution."""
        super().resize(size)
        self.base = self._fitted(size).to(self.base)

    def _fitted(self, size: int) -> Tensor:
        return self._encoded(fit_photo(self.photo, size, self.channels)[None])

    def _unbounded(self, photo: Tensor) -> Tensor:
        """A photo before the sigmoid, in decorrelated colors."""
        return self.decorrelated(photo.clamp(EDGE, 1 - EDGE).logit())


class PhotoPixels(PhotoImage):
    """Differences (N, C, H, W) from the photo's pixels, clipped to [0, 1] (DeepDream, google/deepdream)."""

    @override
    def forward(self) -> Tensor:
        return clip_with_way_back(self.base + self.values)

    @override
    def resampled(self, values: Tensor, size: int) -> Tensor:
        return F.interpolate(values, (size, size), mode="bicubic", align_corners=False)

    @override
    @torch.no_grad()
    def project(self, change: Callable[[Tensor], Tensor]) -> None:
        self.values.data = change(self.base + self.values) - self.base

    @override
    def _encoded(self, photo: Tensor) -> Tensor:
        return photo

    @override
    def _shape(self, size: int) -> tuple[int, ...]:
        return self.channels, size, size


class PhotoFourier(PhotoImage):
    """Differences (N, C, H, W // 2 + 1, 2) from the photo's coefficients, scaled as those of ``FourierImage``."""

    @override
    def forward(self) -> Tensor:
        pictures = pictures_of(self.base + self.values.float(), self.size, 1.0, DIVISOR)
        return self.bounded(pictures)

    @override
    def resampled(self, values: Tensor, size: int) -> Tensor:
        return same_frequencies(values, size)

    @override
    def _encoded(self, photo: Tensor) -> Tensor:
        return coefficients_of(DIVISOR * self._unbounded(photo), decay=1.0)

    @override
    def _shape(self, size: int) -> tuple[int, ...]:
        return self.channels, size, size // 2 + 1, 2


class PhotoPhase(PhotoImage):
    """Differences (N, C, H, W // 2 + 1) from the photo's phases, in radians; its magnitudes stay (arXiv 2402.10039)."""

    @override
    def forward(self) -> Tensor:
        rotation = torch.complex(self.values.float().cos(), self.values.float().sin())
        pictures = torch.fft.irfft2(torch.view_as_complex(self.base) * rotation, s=(self.size, self.size))
        return self.bounded(pictures)

    @override
    def resampled(self, values: Tensor, size: int) -> Tensor:
        return same_frequencies(values, size)

    @override
    def _encoded(self, photo: Tensor) -> Tensor:
        return torch.view_as_real(torch.fft.rfft2(self._unbounded(photo)))

    @override
    def _shape(self, size: int) -> tuple[int, ...]:
        return self.channels, size, size // 2 + 1
