"""Bilinear sampling of pictures on another canvas, forwards and backwards.

On a CPU ``grid_sample`` takes longer than all else that a step adds to the network's own pass: it fetches the colors
of a pixel from places far apart, and always computes the gradient of the positions too, which nobody needs here.
There the same arithmetic is compiled by Numba (``kernels/bilinear.py``) for pixels whose colors lie together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from featviz.models.normalization import Normalization
from featviz.shapes import Shape, Size
from featviz.transforms.threads import for_all

if TYPE_CHECKING:
    from featviz.transforms.kernels.bilinear import Kernels


def sample(
    pictures: Tensor, matrices: Tensor, canvas: Size, fill: float, normalization: Normalization | None = None
) -> Tensor:
    """Pictures (N, C, H, W) on canvases of another height and width; normalized in the same go, if asked for.

    ``matrices`` (N, 2, 3) take column and row of a pixel of the new canvas to column and row, with fractions, on the
    old one. Beyond the picture is ``fill``, into which its border fades within a pixel.
    """
    if normalization:
        scale, shift = normalization.scale, normalization.shift
    else:
        scale, shift = pictures.new_ones(pictures.shape[1]), pictures.new_zeros(pictures.shape[1])
    shape, dtype = Shape.of(canvas), torch.promote_types(pictures.dtype, scale.dtype)
    if pictures.device.type == "cpu" and dtype != torch.float64:
        return _Sampled.apply(pictures.float(), matrices, shape, fill, scale.float(), shift.float()).to(dtype)
    grid = _grid(matrices.to(pictures.device, non_blocking=True), shape, *pictures.shape[2:]).to(pictures.dtype)
    sampled = F.grid_sample(pictures - fill, grid, align_corners=False)
    return torch.addcmul((shift + fill * scale).view(-1, 1, 1), sampled, scale.view(-1, 1, 1))


def _grid(matrices: Tensor, canvas: Shape, height: int, width: int) -> Tensor:
    """Positions (N, *canvas, 2) as ``grid_sample`` takes them: from -1 to 1 over the picture."""
    theta = torch.stack([matrices[:, 0] * (2 / width), matrices[:, 1] * (2 / height)], 1)
    theta[:, 0, 2] += 1 / width - 1
    theta[:, 1, 2] += 1 / height - 1
    rows, columns = (torch.arange(side, device=matrices.device) for side in canvas)
    across = theta[:, None, None, :, 0] * columns[:, None]  # (N, 1, width, 2)
    down = theta[:, None, None, :, 1] * rows[:, None, None] + theta[:, None, None, :, 2]  # (N, height, 1, 2)
    return across + down


class _Sampled(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, pictures: Tensor, matrices: Tensor, canvas: Shape, fill: float, scale: Tensor, shift: Tensor
    ) -> Tensor:
        count, channels = pictures.shape[:2]
        ctx.shape, ctx.matrices, ctx.scale = pictures.shape, matrices, scale
        sampled = pictures.new_empty(count, *canvas, channels)
        each = pictures.contiguous(), matrices, sampled
        for_all(_kernels(channels).sample, each, scale.numpy(), shift.numpy(), fill)
        return sampled.permute(0, 3, 1, 2)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        gradient = gradients[0].new_empty(ctx.shape)
        source = gradients[0].permute(0, 2, 3, 1).contiguous()
        for_all(_kernels(ctx.shape[1]).distribute, (source, ctx.matrices, gradient), ctx.scale.numpy())
        return gradient, None, None, None, None, None


def _kernels(channels: int) -> Kernels:
    from featviz.transforms.kernels.bilinear import kernels  # Numba takes its time

    return kernels(channels)
