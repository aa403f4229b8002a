"""Pictures as Fourier coefficients."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import product
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from typing_extensions import override

from featviz.errors import above_zero
from featviz.images.base import Image, normal_values
from featviz.images.color import before_bounds, writer
from featviz.models.frames import axes_of
from featviz.shapes import Shape, Size
from featviz.transforms.threads import each_in_threads

DIVISOR = 4.0  # lucid's, with which noise of std 0.01 gives a soft gray start
LARGE = 64 * 64  # px


class FourierImage(Image):
    """Pictures as coefficients (N, C, H, W // 2 + 1, 2) of a real Fourier transform (Olah et al. 2017, lucid).

    Each coefficient is scaled by ``1 / max(frequency, 1 / size) ** decay`` (frequency in cycles per pixel and frame, in
    any direction; size of the longest axis), so that low and high frequencies learn alike; then inverse transform
    (orthonormal), division by ``divisor``, colors correlated, sigmoid; with ``rescale`` each picture's smallest value
    becomes 0 and its largest 1 (xplique). Starts from normal coefficients of standard deviation ``sd``, one generator
    for each picture. Films have coefficients (N, C, T, H, W // 2 + 1, 2), whose frequencies are over time, too.
    """

    takes_films = True

    def __init__(
        self,
        size: Size,
        generators: Sequence[torch.Generator],
        mean: Sequence[float],
        std: Sequence[float],
        sd: float = 0.01,
        decay: float = 1.0,
        decorrelate: bool = True,
        divisor: float = DIVISOR,
        rescale: bool = False,
    ) -> None:
        super().__init__(size, len(mean), decorrelate)
        above_zero("image.sd", sd)
        above_zero("image.divisor", divisor)
        self.decay = decay
        self.divisor = divisor
        self.rescale = rescale
        self.may_be_unbound = not rescale
        self.values = normal_values((self.channels, *half_spectrum(self.shape), 2), generators, sd)

    @override
    def forward(self) -> Tensor:
        pictures = self._bounded_pictures()
        return rescaled(pictures) if self.rescale else pictures

    def _bounded_pictures(self) -> Tensor:
        values, matrix = self.values, self.correlation
        on_cpu = values.device.type == "cpu" and values.dtype == torch.float32
        # of few pictures each Fourier transform has all threads, and of small ones calls take longer than their work
        one_by_one = len(values) >= 2 * torch.get_num_threads() and self.shape.values >= LARGE
        if matrix is None or not (on_cpu and self.has_bounds and one_by_one):
            return self.bounded(pictures_of(values.float(), self.shape, self.decay, self.divisor))
        scales = _scales(self.shape, self.decay, self.divisor, values.device)
        pictures: Tensor = _BoundedInverse.apply(values, scales, matrix)
        return pictures

    @override
    def resampled(self, values: Tensor, size: Size) -> Tensor:
        """Keep each frequency (in cycles per picture), drop those above the new limit, add zeros up to it."""
        # Of pictures, with decay 1 a coefficient means the same at every size; any other decay changes its unit.
        old, new = self.shape, Shape.of(size)
        longer = (new.frames / old.frames) ** 0.5 * (new.side / old.side) ** (1 - self.decay)
        return same_frequencies(values, old, new) * longer


def half_spectrum(shape: Shape) -> tuple[int, ...]:
    """The shape of the coefficients of real values of a shape: half of the last axis."""
    return *shape[:-1], shape[-1] // 2 + 1


def spatial_axes(shape: Shape) -> tuple[int, ...]:
    """The axes of height and width, and of frames, counted from the last."""
    return tuple(range(-len(shape), 0))


def pictures_of(coefficients: Tensor, size: Size, decay: float, divisor: float = 1.0) -> Tensor:
    """Coefficients (N, C, H, W // 2 + 1, 2), or those of films, to real values (N, C, H, W) over ``divisor``."""
    result: Tensor = _Inverse.apply(coefficients, _scales(Shape.of(size), decay, divisor, coefficients.device))
    return result


class _Inverse(torch.autograd.Function):
    """The inverse transform of scaled coefficients; the scale and ``irfft2``'s own factors of gradients in one pass."""

    @staticmethod
    def forward(ctx: Any, coefficients: Tensor, scales: tuple[Tensor, Tensor, Shape]) -> Tensor:
        scale, _, shape = ctx.scales = scales
        return torch.fft.irfftn(torch.view_as_complex(coefficients) * scale, shape, spatial_axes(shape), norm="ortho")

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return _before_inverse(gradients[0], ctx.scales), None


class _BoundedInverse(torch.autograd.Function):
    """``_Inverse``, then ``bounded``: on a CPU each picture goes all the way while it lies in the cache of its core."""

    @staticmethod
    def forward(ctx: Any, coefficients: Tensor, scales: tuple[Tensor, Tensor, Shape], matrix: Tensor) -> Tensor:
        scale, _, shape = ctx.scales = scales
        spectra = torch.view_as_complex(coefficients.detach())  # other threads do not know of no_grad
        pictures, write = coefficients.new_empty(*coefficients.shape[:2], *shape), writer(matrix)

        def make(number: int) -> None:
            write(torch.fft.irfftn(spectra[number] * scale, shape, spatial_axes(shape), norm="ortho"), pictures[number])

        each_in_threads(make, range(len(pictures)))
        ctx.save_for_backward(pictures)
        ctx.matrix = matrix
        return pictures

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        before = before_bounds(gradients[0], ctx.saved_tensors[0], ctx.matrix)
        return _before_inverse(before, ctx.scales), None, None


def _before_inverse(gradient: Tensor, scales: tuple[Tensor, Tensor, Shape]) -> Tensor:
    """The gradient of coefficients, from that of the values that they stand for."""
    _, scale_back, shape = scales
    return torch.view_as_real(torch.fft.rfftn(gradient, dim=spatial_axes(shape), norm="ortho").mul_(scale_back))


def coefficients_of(pictures: Tensor, decay: float) -> Tensor:
    """The inverse of ``pictures_of``."""
    shape = Shape(pictures.shape[2:])
    scale = spectrum_scale(shape, decay).to(pictures.device)
    return torch.view_as_real(torch.fft.rfftn(pictures, dim=spatial_axes(shape), norm="ortho") / scale)


def same_frequencies(values: Tensor, old: Shape, new: Shape) -> Tensor:
    """Values (N, C, *half_spectrum(old), ...) of frequencies for another size.

    Each frequency (in cycles per picture) keeps its value, those above the new limit are dropped, new ones are zero; so
    is the highest one of an even size, which has no counterpart.
    """
    resized = values.new_zeros(*values.shape[:2], *half_spectrum(new), *values.shape[2 + len(new) :])
    kept = [_in_both(*sides) for sides in zip(old, new, strict=True)]
    for part in product(*kept[:-1], kept[-1][:1]):
        resized[:, :, *part] = values[:, :, *part]
    return resized


def _in_both(old: int, new: int) -> list[slice]:
    """Where frequencies that axes of both lengths have stand: those from zero on, and the negative ones."""
    highest = (min(old, new) - 1) // 2
    return [slice(0, highest + 1), slice(-highest, None)][: 2 if highest else 1]


@lru_cache(maxsize=4)  # the same at every step
def _scales(shape: Shape, decay: float, divisor: float, device: torch.device) -> tuple[Tensor, Tensor, Shape]:
    """What coefficients are multiplied with, and their gradients: all but the ends stand for two frequencies."""
    with torch.inference_mode(False):
        scale = spectrum_scale(shape, decay) / divisor
        back = scale.clone()
        back[..., 1 : (shape[-1] + 1) // 2] *= 2
        return scale.to(device), back.to(device), shape


def spectrum_scale(size: Size, decay: float) -> Tensor:
    """What the coefficients (H, W // 2 + 1), or those of a film, are multiplied with."""
    shape = Shape.of(size)
    axes = [*(torch.fft.fftfreq(side) for side in shape[:-1]), torch.fft.rfftfreq(shape[-1])]
    squares = [frequencies**2 for frequencies in torch.meshgrid(*axes, indexing="ij")]
    frequency = sum(squares[1:], squares[0]).sqrt()
    return 1 / frequency.clamp_min(1 / max(shape)) ** decay


def rescaled(pictures: Tensor) -> Tensor:
    """Stretch each picture (N, C, ...) to the whole of [0, 1]."""
    above = pictures - pictures.amin(axes_of(pictures), keepdim=True)
    return above / above.amax(axes_of(pictures), keepdim=True).clamp_min(torch.finfo(above.dtype).tiny)
