"""How much each pixel of a picture has mattered: the gradient's magnitude over all steps (MACO, arXiv 2306.06805)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import interpolate

OPAQUE = 0.8  # share of a picture's pixels below the one from which on they are opaque (serre-lab/Horama)


def accumulate_magnitude(total: Tensor | None, gradient: Tensor) -> Tensor:
    """Add the magnitude of a gradient (N, C, H, W), mean over channels, to the sum so far (N, H', W').

    A sum at another size is resampled (bilinear) with its sum kept: a gradient spreads over the pixels there
    are, and small pictures would outweigh large ones. What is not finite counts as zero.
    """
    magnitude = gradient.detach().float().abs().mean(1).nan_to_num(0, 0, 0)
    if total is None:
        return magnitude
    before = total.to(magnitude.device)
    if before.shape != magnitude.shape:
        pixels = before[0].numel() / magnitude[0].numel()
        before = interpolate(before[:, None], magnitude.shape[1:], mode="bilinear", align_corners=False)[:, 0] * pixels
    return magnitude + before


def opacity_from_gradients(magnitude: Tensor) -> Tensor:
    """Opacities (N, 1, H, W) in [0, 1] from accumulated magnitudes (N, H, W): a fifth of a picture's pixels are opaque.

    Where fewer have mattered at all, only the one that has mattered most is; where none has, all are transparent.
    """
    magnitude = magnitude.float().cpu()
    pixels = magnitude.flatten(1)
    bound = pixels.kthvalue(max(1, round(OPAQUE * pixels.shape[1]))).values
    scale = torch.where(bound > 0, bound, pixels.amax(1)).clamp_min(torch.finfo(magnitude.dtype).tiny)
    return (magnitude / scale[:, None, None]).clamp(0, 1)[:, None]
