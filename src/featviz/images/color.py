"""Color: the decorrelated color space of natural images."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from featviz.transforms.threads import each_in_threads, for_all

# Square root of the color covariance of ImageNet (tensorflow/lucid): columns are principal colors.
COLOR_CORRELATION = ((0.26, 0.09, 0.02), (0.27, 0.00, -0.05), (0.27, -0.09, 0.03))


def correlation_matrix() -> Tensor:
    """The matrix (3, 3) that takes decorrelated to RGB values, divided by its largest column norm (lucid)."""
    matrix = torch.tensor(COLOR_CORRELATION)
    return matrix / matrix.norm(dim=0).max()


def mix(values: Tensor, matrix: Tensor | None) -> Tensor:
    """Apply a color matrix (C, C), where there is one, to values (N, C, ...); half precision is for networks."""
    if matrix is None:
        return values
    with torch.autocast(values.device.type, enabled=False):
        return (matrix @ values.flatten(2)).view_as(values)


def bounded(values: Tensor, matrix: Tensor | None) -> Tensor:
    """Pictures in [0, 1] of values (N, C, H, W) without bounds: colors mixed, then a sigmoid."""
    if matrix is None or values.device.type != "cpu" or values.dtype != torch.float32:
        return mix(values, matrix).sigmoid()
    return _Bounded.apply(values, matrix)


class _Bounded(torch.autograd.Function):
    """On a CPU, where going over a picture once more takes as long as the arithmetic, in fewer passes."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, matrix: Tensor) -> Tensor:
        pictures, write = torch.empty(values.shape), writer(matrix)
        each = list(zip(values.detach(), pictures, strict=True))  # other threads do not know of no_grad
        each_in_threads(lambda pair: write(*pair), each)
        ctx.save_for_backward(pictures)
        ctx.matrix = matrix
        return pictures

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return before_bounds(gradients[0], ctx.saved_tensors[0], ctx.matrix), None


def writer(matrix: Tensor) -> Callable[[Tensor, Tensor], object]:
    """A function of values (3, ...) without bounds and a picture, in which it writes what they become, on a CPU.

    A picture so is the same to the last bit alone and beside others. In products of matrices, and in functions of which
    each thread computes a part, numbers are not rounded alike wherever they stand.
    """
    from featviz.transforms.kernels.color import mix_colors  # Numba takes its time

    numbers = matrix.numpy()

    def write(values: Tensor, picture: Tensor) -> None:
        colors = picture.flatten(1)
        mix_colors(values.flatten(1).contiguous().numpy(), colors.numpy(), numbers)
        colors.sigmoid_()

    return write


def before_bounds(gradient: Tensor, pictures: Tensor, matrix: Tensor) -> Tensor:
    """The gradient of those values, in one pass, from that of the pictures."""
    from featviz.transforms.kernels import color  # Numba takes its time

    before = torch.empty_like(pictures)
    each = [t.flatten(2) for t in (gradient.contiguous(), pictures, before)]
    for_all(color.before_bounds, each, matrix.numpy())
    return before
