"""Sixteen changes of a finished picture that no recipe makes while it comes about: always the same ones."""

from __future__ import annotations

import io
import math
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from featviz.shapes import Shape
from featviz.transforms.blur import gaussian_blurred

Change = Callable[[Tensor], Tensor]


def moved(across: float = 0.0, down: float = 0.0, degrees: float = 0.0, zoom: float = 1.0) -> Change:
    """Shift (shares of the side), turn and zoom about the center; what comes in at the borders is mirrored."""
    angle = math.radians(degrees)
    cosine, sine = math.cos(angle) / zoom, math.sin(angle) / zoom

    def change(pictures: Tensor) -> Tensor:
        theta = pictures.new_tensor([[cosine, -sine, 2 * across], [sine, cosine, 2 * down]])
        grid = F.affine_grid(theta[None], [1, *pictures.shape[1:]], align_corners=False)  # for any number the same one
        grids = grid.expand(len(pictures), -1, -1, -1)
        return F.grid_sample(pictures, grids, padding_mode="reflection", align_corners=False)

    return change


def blurred(share: float) -> Change:
    """Gaussian blur, its standard deviation a share of the side."""
    return lambda pictures: gaussian_blurred(pictures, share * Shape(pictures.shape[2:]).side)


def noisy(std: float) -> Change:
    """Normal noise, the same for every picture of a size."""

    def change(pictures: Tensor) -> Tensor:
        noise = torch.randn(pictures.shape[1:], generator=torch.Generator().manual_seed(0)).to(pictures)
        return (pictures + std * noise).clamp(0, 1)

    return change


def compressed(quality: int) -> Change:
    """JPEG; pictures that are neither gray nor RGB channel by channel."""

    def change(pictures: Tensor) -> Tensor:
        levels = pictures.clamp(0, 1).mul(255).round().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
        back = np.stack([_through_jpeg(picture, quality) for picture in levels])
        return torch.from_numpy(back).permute(0, 3, 1, 2).to(pictures) / 255

    return change


def _through_jpeg(picture: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    if picture.shape[2] == 3:
        return _one(picture, quality)
    return np.stack([_one(picture[..., channel], quality) for channel in range(picture.shape[2])], 2)


def _one(levels: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(levels)).save(buffer, "JPEG", quality=quality)
    with Image.open(buffer) as image:
        return np.asarray(image)


#: Shifts and zooms beyond those of the recipes, angles beyond them and between their whole degrees.
PERTURBATIONS: tuple[Change, ...] = (
    *(moved(across, down) for across in (-0.12, 0.12) for down in (-0.12, 0.12)),
    *(moved(degrees=degrees) for degrees in (-25, -13.5, 13.5, 25)),
    *(moved(zoom=zoom) for zoom in (0.7, 0.85, 1.18, 1.4)),
    *(blurred(share) for share in (0.008, 0.016)),
    compressed(75),
    noisy(0.05),
)
