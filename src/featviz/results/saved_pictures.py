"""Pictures and films as they were saved, read back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from featviz.errors import FeatvizError, one_line
from featviz.reading import opened_png, read_array
from featviz.results.files import in_one_line
from featviz.results.film import cut
from featviz.results.units import Units
from featviz.shapes import Shape


def read_picture(path: Path, shape: Shape) -> Tensor:
    """A picture (C, H, W) in [0, 1], or a film (C, T, H, W) of that shape, by its PNG and the .npy beside it.

    Raises:
        FeatvizError: a file cannot be read, or is damaged.
    """
    array = path.with_suffix(".npy")
    with in_one_line("read", path):
        try:
            with opened_png(path) as image:
                units = Units.of_text(getattr(image, "text", {}))
                if not array.exists():
                    frames = [_levels(frame) for frame in (cut(image, *shape) if shape.is_film else [image])]
                    return torch.stack(frames, 1) if shape.is_film else frames[0]
            values = torch.from_numpy(read_array(array))
            return units.picture(values) if units else values
        except ValueError as error:
            raise FeatvizError(f"cannot read {path}: {one_line(error)}", got=str(path)) from error


def _levels(image: Image.Image) -> Tensor:
    levels = np.array(image.convert("L" if image.mode in ("L", "LA") else "RGB"), dtype=np.float32)
    return torch.from_numpy(levels if levels.ndim == 3 else levels[..., None]).permute(2, 0, 1) / 255
