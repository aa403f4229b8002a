"""Blurs: rows, then columns, filtered by a short kernel."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F
from typing_extensions import override

from featviz.errors import FeatvizError, above_zero, at_least, in_order
from featviz.models.frames import by_frame
from featviz.shapes import Shape
from featviz.transforms.base import Transform


@dataclass
class Blur(Transform):
    """Gaussian blur of a width drawn evenly between ``low`` and ``high`` px, edges reflected.

    The kernel has ``kernel`` px (one of an even number moves the picture by half a pixel), or reaches to 4 ``high``
    where that is null.
    """

    low: float
    high: float
    kernel: int | None = None
    draws = 1

    def __post_init__(self) -> None:
        """Refuse a blur of no width."""
        above_zero("blur.low", self.low)
        in_order("blur.low", self.low, "blur.high", self.high)
        if self.kernel is not None:
            at_least("blur.kernel", self.kernel, 1)

    @override
    def __call__(self, pictures: Tensor, draws: Tensor, progress: float = 0.0) -> Tensor:
        sigma = self.low + (self.high - self.low) * draws[:, 0]
        width = self.kernel or 2 * int(4 * self.high + 0.5) + 1
        _check_fits(width // 2, pictures)
        kernels = gaussian(sigma, width)
        return separable(pictures, kernels.to(pictures, non_blocking=True))


def gaussian(sigma: Tensor, width: int) -> Tensor:
    """Gaussian kernels (..., width) of the widths ``sigma`` (...) in px, each with sum 1."""
    at = torch.arange(width, device=sigma.device, dtype=sigma.dtype) - (width - 1) / 2
    kernels = (-(at**2) / (2 * sigma[..., None] ** 2)).exp()
    return kernels / kernels.sum(-1, keepdim=True)


def gaussian_blurred(pictures: Tensor, sigma: float, repeat_edge: bool = False) -> Tensor:
    """Pictures (N, C, H, W), or frames of films, blurred by ``sigma`` px, cut off at 4 sigma.

    Edges are reflected, as SciPy's ``mirror`` does, or with the last pixel repeated, as its ``reflect`` does.
    """
    if pictures.ndim == 5:
        return by_frame(lambda frames: gaussian_blurred(frames, sigma, repeat_edge), pictures)
    radius = int(4 * sigma + 0.5)  # as SciPy rounds it
    _check_fits(radius, pictures)
    kernel = gaussian(torch.tensor(sigma, device=pictures.device, dtype=pictures.dtype), 2 * radius + 1)
    if repeat_edge:
        return _convolved(_with_repeated_edges(pictures, radius), kernel.expand(pictures.shape[1], -1))
    return separable(pictures, kernel)


def _check_fits(radius: int, pictures: Tensor) -> None:
    if radius >= min(pictures.shape[2:]):
        what = f"a blur of radius {radius} px does not fit pictures of {Shape(pictures.shape[2:])} px"
        raise FeatvizError(what, setting="blur", got=radius)


def _with_repeated_edges(pictures: Tensor, width: int) -> Tensor:
    """Pictures (N, C, H, W) with a border of ``width`` px, in which they are reflected, the last pixel repeated."""
    for axis in (2, 3):
        side = pictures.shape[axis]
        at = torch.arange(-width, side + width, device=pictures.device) % (2 * side)
        pictures = pictures.index_select(axis, torch.minimum(at, 2 * side - 1 - at))
    return pictures


def separable(pictures: Tensor, kernel: Tensor) -> Tensor:
    """Filter pictures (N, C, H, W), or frames of films, with one kernel (width,) or with one for each, (N, width).

    Edges are reflected without repeating the last pixel.
    """
    if pictures.ndim == 5:
        return by_frame(lambda frames: separable(frames, kernel), pictures)
    if kernel.ndim == 2:
        together = pictures.flatten(0, 1)[None]
        return _filtered(together, kernel.repeat_interleave(pictures.shape[1], 0)).view_as(pictures)
    return _filtered(pictures, kernel.expand(pictures.shape[1], -1))


def _filtered(pictures: Tensor, kernels: Tensor) -> Tensor:
    """Filter each channel with its own kernel, (C, width)."""
    width = kernels.shape[1]
    before, after = (width - 1) // 2, width // 2
    _check_fits(after, pictures)
    return _convolved(F.pad(pictures, (before, after, before, after), mode="reflect"), kernels)


def _convolved(padded: Tensor, kernels: Tensor) -> Tensor:
    """Filter each channel, which has a border, with its own kernel, (C, width)."""
    channels, width = kernels.shape
    rows = kernels.view(channels, 1, 1, width)
    return F.conv2d(F.conv2d(padded, rows, groups=channels), rows.transpose(2, 3), groups=channels)
