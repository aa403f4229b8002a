"""Moves of the canvas as matrices, and by SciPy."""

import math

import numpy as np
from pictures import random_pictures
from scipy.ndimage import affine_transform
from torch import Tensor

from featviz.transforms import Jitter, Pad, Rotate, Scale, Transforms

FILL = 0.5


def by_scipy(picture: np.ndarray, matrix: np.ndarray, side: int, fill: float = FILL) -> np.ndarray:
    """Bilinear resampling; ``matrix`` (3, 3) takes (x, y, 1) from the new canvas's center to the old one's."""
    swap = np.array([[0, 1, 0], [1, 0, 0], [0, 0, 1]])  # SciPy's axes are (y, x)
    matrix = swap @ matrix @ swap
    old, new = np.subtract(picture.shape[1:], 1) / 2, np.repeat((side - 1) / 2, 2)
    offset = old + matrix[:2, 2] - matrix[:2, :2] @ new
    return np.stack(
        [
            affine_transform(channel, matrix[:2, :2], offset, (side, side), order=1, mode="grid-constant", cval=fill)
            for channel in picture.astype(float)
        ]
    )


def zoom(factor: float) -> np.ndarray:
    return np.diag([1 / factor, 1 / factor, 1])


def turn(degrees: float) -> np.ndarray:
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])


def shift(x: float, y: float) -> np.ndarray:
    return np.array([[1, 0, x], [0, 1, y], [0, 0, 1.0]])


FACTORS = [0.9, 1.0, 1.1, 1.5]
DEGREES = [-10, 0, 5, 45, 90, 180]


def pictures(count: int = 3, size: int = 21) -> Tensor:
    """Random pictures of two channels."""
    return random_pictures(count, size, 2)


def draw_for(index: int, choices: int) -> float:
    """The draw that takes one of so many choices."""
    return (index + 0.5) / choices


def chain() -> Transforms:
    """The recipe olah2017."""
    return Transforms(
        {
            "pad": Pad(12),
            "jitter": Jitter(8),
            "scale": Scale(FACTORS),
            "rotate": Rotate(DEGREES),
            "again": Jitter(4),
        }
    )
