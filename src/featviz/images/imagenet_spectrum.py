"""The mean magnitude spectrum of ImageNet's photos, as MACO's authors measured it.

The figures are those of deel-ai/xplique (MIT license: ``data/imagenet_spectrum.LICENSE``), at fewer high frequencies
(``scripts/imagenet_spectrum.py``): .7 % from the source, as an L2 norm.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from featviz.errors import FeatvizError
from featviz.shapes import Shape, Size

NAME = "imagenet"  # what image.spectrum calls it
FILE = Path(__file__).parent / "data" / "imagenet_spectrum.npz"
MEASURED = 512  # px, of the photos
LOWEST = 1e5  # about the magnitude of the lowest frequency

Array = NDArray[np.floating[Any]]


def check_imagenet(channels: int) -> None:
    """Raise FeatvizError for pictures that are neither in color nor in black and white."""
    if channels not in (1, 3):
        raise FeatvizError(
            f"the spectrum of ImageNet is that of colors, but the network takes {channels} channels",
            setting="image.spectrum",
            got=NAME,
            expected="null, or a file or folder of the network's own pictures",
        )


def imagenet_spectrum(size: Size, channels: int) -> Tensor:
    """Magnitudes (channels, H, W // 2 + 1) in decorrelated colors; a single channel gets the first, brightness.

    As in the source the spectrum is stretched to the size: a frequency in cycles per pixel keeps its magnitude.
    """
    check_imagenet(channels)
    rows, columns, ratios = _table()
    height, width = Shape.of(size)
    down, across = np.fft.fftfreq(height) * MEASURED, np.fft.rfftfreq(width) * MEASURED
    table = _interpolated(_interpolated(ratios[:channels], rows, down, axis=1), columns, across, axis=2)
    return torch.from_numpy(np.exp(table) * law(down, across)).float()


def law(down: Array, across: Array) -> Array:
    """About what magnitudes are at frequencies in cycles per picture of 512 px, (down, across): 1 / frequency."""
    return np.asarray(LOWEST / np.hypot(down[:, None], across).clip(1))


@lru_cache(maxsize=1)
def _table() -> tuple[Array, Array, Array]:
    """Frequencies down and across, in cycles per picture of 512 px, and logarithms of magnitudes over the law's."""
    with np.load(FILE) as file:
        rows, columns, ratios = (file[name].astype(np.float64) for name in ("rows", "columns", "log_ratio"))
    return rows, columns, ratios


def _interpolated(values: Array, known: Array, wanted: Array, axis: int) -> Array:
    """Linearly along an axis, from values at ``known`` to values at ``wanted``; constant beyond the ends."""
    at = np.interp(wanted, known, np.arange(len(known)))
    before = np.minimum(at.astype(int), len(known) - 2)
    share = np.expand_dims(at - before, tuple(other for other in range(3) if other != axis))
    first, second = np.take(values, before, axis), np.take(values, before + 1, axis)
    return np.asarray(first + (second - first) * share)
