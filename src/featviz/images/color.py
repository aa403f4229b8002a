"""Color: the decorrelated color space of natural images."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from featviz.transforms.threads import for_all

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
    """On a CPU, where going over a picture once more takes as long as the arithmetic, the way back is a single pass."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, matrix: Tensor) -> Tensor:
        pictures = mix(values, matrix).sigmoid_()
        ctx.save_for_backward(pictures)
        ctx.matrix = matrix
        return pictures

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        from featviz.transforms.kernels.color import before_bounds  # Numba takes its time

        (pictures,) = ctx.saved_tensors
        before = torch.empty_like(pictures)
        each = [t.flatten(2) for t in (gradients[0].contiguous(), pictures, before)]
        for_all(before_bounds, each, ctx.matrix.numpy())
        return before, None
