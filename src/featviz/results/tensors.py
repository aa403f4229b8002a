"""Tensors as pictures and as files, and back."""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from featviz.reading import check_archive


def quantize(pictures: Tensor) -> Tensor:
    """Round pictures to the 256 levels in [0, 1] that a PNG holds; what is not finite becomes nan."""
    levels = pictures.detach().float().clamp(0, 1).mul(255).round().div(255)
    return torch.where(pictures.isfinite(), levels, torch.nan)


def image_of_channels(picture: Tensor) -> Image.Image:
    """Turn a picture (C, H, W) in [0, 1] into gray (1 or 2 channels: the first) or RGB (the first three)."""
    levels = quantize(picture).nan_to_num().mul(255).round().to(torch.uint8).cpu()
    array = levels[0] if len(levels) < 3 else levels[:3].permute(1, 2, 0)
    return Image.fromarray(np.ascontiguousarray(array.numpy()))


def npy(values: Tensor) -> bytes:
    """Encode a tensor as a NumPy file."""
    buffer = io.BytesIO()
    np.save(buffer, values.cpu().numpy())
    return buffer.getvalue()


def load_tensors(path: Path) -> Any:
    """What torch has saved, plain values and tensors alone, on the CPU; an error of torch's where it is damaged."""
    check_archive(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a file that torch has not written
        return torch.load(path, map_location="cpu", weights_only=True)
