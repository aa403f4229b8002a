"""Pictures that start from a photo."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from typing_extensions import override

from featviz.errors import FeatvizError, above_zero, at_least
from featviz.images.base import Image, normal_values
from featviz.images.fourier import DIVISOR, coefficients_of, half_spectrum, pictures_of, same_frequencies
from featviz.images.maco import bounds_of
from featviz.images.pixel import EDGE, clip_with_way_back
from featviz.models.frames import resized
from featviz.photos.files import fit_photo, read_photo
from featviz.shapes import Shape, Size


class PhotoImage(Image):
    """A photo, and what is added to it: ``values`` of zero are the photo, at every size.

    ``path`` is the photo, cut to the pictures' proportions. ``noise`` is the standard deviation of the values at the
    start, from one generator for each picture, so that variants differ. ``ends`` are the lowest and highest value, (1,
    C, 1, 1) each, of pictures that reach beyond 0 and 1.
    """

    base: Tensor

    def __init__(
        self,
        size: Size,
        generators: Sequence[torch.Generator],
        mean: Sequence[float],
        std: Sequence[float],
        path: str | None = None,
        noise: float = 0.0,
        ends: tuple[Tensor, Tensor] | None = None,
    ) -> None:
        super().__init__(size, len(mean), decorrelate=True)
        self.ends = ends
        if path is None:
            raise FeatvizError(
                "image.path is missing: give it on the command line, image.path=PHOTO", setting="image.path"
            )
        at_least("image.noise", noise, 0)
        self.photo = read_photo(path)
        self.register_buffer("base", self._fitted(self.shape), persistent=False)
        self.values = normal_values(self._shape(self.shape), generators, noise)

    @abstractmethod
    def _encoded(self, photo: Tensor) -> Tensor:
        """What ``forward`` makes the photo (1, C, H, W) in [0, 1] of."""

    @abstractmethod
    def _shape(self, shape: Shape) -> tuple[int, ...]:
        """The shape of one picture's values."""

    @override
    @torch.no_grad()
    def resize(self, size: Size) -> None:
        """Upscale what has been added; the photo comes in at its own resolution."""
        super().resize(size)
        self.base = self._fitted(self.shape).to(self.base)

    def _fitted(self, shape: Shape) -> Tensor:
        return self._encoded(fit_photo(self.photo, shape, self.channels)[None])

    def _unbounded(self, photo: Tensor) -> Tensor:
        """A photo before the sigmoid, in decorrelated colors."""
        if self.ends is not None:
            low, high = self.ends
            photo = (photo - low) / (high - low)
        return self.decorrelated(photo.clamp(EDGE, 1 - EDGE).logit())


class PhotoPixels(PhotoImage):
    """Differences (N, C, H, W) from the photo's pixels, clipped to [0, 1] (DeepDream, google/deepdream)."""

    @override
    def forward(self) -> Tensor:
        return clip_with_way_back(self.base + self.values)

    @override
    def resampled(self, values: Tensor, size: Size) -> Tensor:
        return resized(values, Shape.of(size), "bicubic")

    @override
    @torch.no_grad()
    def project(self, change: Callable[[Tensor], Tensor]) -> None:
        self.values.data = change(self.base + self.values) - self.base

    @override
    def _encoded(self, photo: Tensor) -> Tensor:
        return photo

    @override
    def _shape(self, shape: Shape) -> tuple[int, ...]:
        return self.channels, *shape


class PhotoFourier(PhotoImage):
    """Differences (N, C, H, W // 2 + 1, 2) from the photo's coefficients, scaled as those of ``FourierImage``.

    ``decay`` is that of the scale, 1 / frequency ** decay, and ``divisor`` what pictures are divided by after the
    inverse transform: the larger, the smaller are the optimizer's steps. With ``value_range`` [low, high] the sigmoid's
    0 and 1 are these values of what the network sees after its mean and std (serre-lab/Horama: -2.5 and 2.5).
    """

    def __init__(
        self,
        size: Size,
        generators: Sequence[torch.Generator],
        mean: Sequence[float],
        std: Sequence[float],
        path: str | None = None,
        noise: float = 0.0,
        decay: float = 1.0,
        divisor: float = DIVISOR,
        value_range: Sequence[float] | None = None,
    ) -> None:
        above_zero("image.divisor", divisor)
        self.decay, self.divisor = decay, divisor  # before the photo is encoded
        low, high = (end.view(1, -1, 1, 1) for end in bounds_of(value_range, mean, std))
        super().__init__(size, generators, mean, std, path, noise, None if value_range is None else (low, high))

    @override
    def forward(self) -> Tensor:
        pictures = pictures_of(self.base + self.values.float(), self.shape, self.decay, self.divisor)
        if self.ends is None:
            return self.bounded(pictures)
        low, high = (end.to(pictures) for end in self.ends)
        return low + (high - low) * self.bounded(pictures)

    @override
    def resampled(self, values: Tensor, size: Size) -> Tensor:
        same = same_frequencies(values, self.shape, Shape.of(size))
        return same if self.decay == 1 else same * (Shape.of(size).side / self.shape.side) ** (1 - self.decay)

    @override
    def _encoded(self, photo: Tensor) -> Tensor:
        return coefficients_of(self.divisor * self._unbounded(photo), decay=self.decay)

    @override
    def _shape(self, shape: Shape) -> tuple[int, ...]:
        return self.channels, *half_spectrum(shape), 2


class PhotoPhase(PhotoImage):
    """Differences (N, C, H, W // 2 + 1) from the photo's phases, in radians; its magnitudes stay (arXiv 2402.10039)."""

    @override
    def forward(self) -> Tensor:
        rotation = torch.complex(self.values.float().cos(), self.values.float().sin())
        pictures = torch.fft.irfft2(torch.view_as_complex(self.base) * rotation, s=self.shape)
        return self.bounded(pictures)

    @override
    def resampled(self, values: Tensor, size: Size) -> Tensor:
        return same_frequencies(values, self.shape, Shape.of(size))

    @override
    def _encoded(self, photo: Tensor) -> Tensor:
        return torch.view_as_real(torch.fft.rfft2(self._unbounded(photo)))

    @override
    def _shape(self, shape: Shape) -> tuple[int, ...]:
        return self.channels, *half_spectrum(shape)
