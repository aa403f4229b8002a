"""Where on a photo a filter fires: its feature map in colour over the photo."""

from __future__ import annotations

import numpy as np
import torch
from matplotlib import colormaps
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

COLOURS = "inferno"
STRENGTH = 0.65  # of the colours over the photo


def overlay(photo: Tensor, feature_map: Tensor, largest: float) -> Image.Image:
    """A photo (3, H, W) in [0, 1], grey, under a feature map (h, w); ``largest`` gets the brightest colour.

    Zero and what is below it shows the photo alone.
    """
    height, width = photo.shape[1:]
    resized = F.interpolate(feature_map[None, None].float(), (height, width), mode="bilinear", align_corners=False)
    share = (resized[0, 0] / max(largest, 1e-12)).clamp(0, 1)
    colours = torch.from_numpy(colormaps[COLOURS](share.numpy())[..., :3]).permute(2, 0, 1)
    grey = photo[:3].mean(0, keepdim=True).expand(3, -1, -1)
    weight = STRENGTH * share.sqrt()
    mixed = grey * (1 - weight) + colours * weight
    return Image.fromarray((mixed.permute(1, 2, 0) * 255).round().clamp(0, 255).numpy().astype(np.uint8))
