"""Colors and their gradients on a CPU, compiled by Numba on first use; the machine code is kept on disk."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from featviz.transforms.kernels.compiled import compiled

ONE = np.float32(1)
PLANES = numba.float32[:, ::1]


@compiled(PLANES, PLANES, PLANES, contract=False)
def mix_colors(values: Any, mixed: Any, matrix: Any) -> None:
    """Write values (3, pixels) times a matrix (3, 3), each pixel rounded alike, however many there are."""
    for n in range(values.shape[1]):
        for k in range(3):
            mixed[k, n] = matrix[k, 0] * values[0, n] + matrix[k, 1] * values[1, n] + matrix[k, 2] * values[2, n]


@compiled(PLANES, PLANES, PLANES, PLANES)
def before_bounds(gradient: Any, picture: Any, before: Any, matrix: Any) -> None:
    """Write the gradient (3, pixels) of what a picture was before its colors were mixed and put through a sigmoid."""
    for n in range(picture.shape[1]):
        red = gradient[0, n] * picture[0, n] * (ONE - picture[0, n])
        green = gradient[1, n] * picture[1, n] * (ONE - picture[1, n])
        blue = gradient[2, n] * picture[2, n] * (ONE - picture[2, n])
        for k in range(3):
            before[k, n] = matrix[0, k] * red + matrix[1, k] * green + matrix[2, k] * blue
