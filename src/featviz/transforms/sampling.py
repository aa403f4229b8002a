"""Bilinear sampling of pictures on another canvas, forwards and backwards.

On a CPU ``grid_sample`` takes longer than all else that a step adds to the network's own pass: it fetches the colours
of a pixel from places far apart, and always computes the gradient of the positions too, which nobody needs here.
There the same arithmetic is compiled by Numba (``sampling_kernels.py``) for pixels whose colours lie together.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from featviz.threads import in_threads


def sample(pictures: Tensor, matrices: Tensor, side: int, fill: float) -> Tensor:
    """Pictures (N, C, H, W) on canvases of ``side`` px: (N, C, side, side).

    ``matrices`` (N, 2, 3), on the CPU, say where a point of the new canvas lies on the old one: rows x and y, in px
    from the canvases' centres. Beyond the picture is ``fill``, into which its border fades within a pixel.
    """
    if pictures.device.type == "cpu" and pictures.dtype != torch.float64:
        return _Sampled.apply(pictures.float(), matrices, side, fill).to(pictures.dtype)
    matrices = matrices.to(pictures.device, non_blocking=True)
    grid = _grid(matrices, side, pictures.shape[-1], pictures.shape[-2]).to(pictures.dtype)
    return F.grid_sample(pictures - fill, grid, align_corners=False).add_(fill)


def _grid(matrices: Tensor, side: int, width: int, height: int) -> Tensor:
    """Positions (N, side, side, 2) as ``grid_sample`` takes them: from -1 to 1 over the picture."""
    theta = matrices / torch.tensor([width / 2, height / 2])[:, None].to(matrices, non_blocking=True)
    axis = torch.arange(side, device=matrices.device) - (side - 1) / 2
    across = theta[:, None, None, :, 0] * axis[:, None]  # (N, 1, side, 2)
    down = theta[:, None, None, :, 1] * axis[:, None, None] + theta[:, None, None, :, 2]  # (N, side, 1, 2)
    return across + down


class _Sampled(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, pictures: Tensor, matrices: Tensor, side: int, fill: float) -> Tensor:
        count, channels, height, width = ctx.shape = pictures.shape
        ctx.matrices = _between_pixels(matrices, side, width + 2, height + 2)
        sampled = pictures.new_empty(count, side, side, channels)
        _for_all("sample", channels, pictures.contiguous(), ctx.matrices, sampled, fill)
        return sampled.permute(0, 3, 1, 2)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None, None]:
        spread = gradients[0].new_empty(ctx.shape)
        _for_all("spread", ctx.shape[1], gradients[0].permute(0, 2, 3, 1).contiguous(), ctx.matrices, spread)
        return spread, None, None, None


def _between_pixels(matrices: Tensor, side: int, width: int, height: int) -> Tensor:
    """Matrices between columns and rows, counted from the corner, instead of px from the centres."""
    exact = matrices.double()
    shift = exact[:, :, 2] - exact[:, :, :2].sum(2) * (side - 1) / 2
    shift += (torch.tensor([width, height]) - 1) / 2
    return torch.cat([exact[:, :, :2], shift[:, :, None]], 2).float()


def _for_all(name: str, channels: int, source: Tensor, matrices: Tensor, target: Tensor, *more: float) -> None:
    """Run a kernel over all pictures, in as many threads as torch uses; each takes the next one when it is ready."""
    from featviz.transforms.sampling_kernels import kernels  # Numba takes its time

    kernel: Callable[..., None] = getattr(kernels(channels), name)
    pictures = iter(list(zip(*(t.detach().numpy() for t in (source, matrices, target)), strict=True)))

    def work() -> None:
        for arrays in pictures:  # an iterator hands out each of them once, whoever asks
            kernel(*arrays, *more)

    in_threads(work)
