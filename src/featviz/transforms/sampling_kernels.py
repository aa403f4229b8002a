"""Bilinear sampling of one picture on a CPU, compiled by Numba on first use; its machine code is kept on disk."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

import numba
import numpy as np

from featviz.compiled import compiled

ONE, UNIT = np.float32(1), np.uint64(1)
PICTURE, MATRIX = numba.float32[:, :, ::1], numba.float32[:, ::1]


class Kernels(NamedTuple):
    """Go through a picture (C, H, W), a matrix (2, 3) and a sampled picture (S, S, C), all float32.

    The matrix takes column and row of a sampled pixel to column and row, with fractions, on the picture in a frame of
    one pixel. ``sample(picture, matrix, sampled, fill)`` writes what is there, or ``fill`` on the frame and outside.
    ``spread(sampled, matrix, picture)``, its adjoint, gives each pixel the sum of the sampled numbers that it has gone
    into, by its weights in them.
    """

    sample: Callable[..., None]
    spread: Callable[..., None]


@compiled()
def _inside(step: Any, start: Any, length: int, columns: int) -> tuple[int, int]:
    """From which column to before which one ``start + step * column`` lies in a row of ``length`` pixels."""
    first, last, end = 0, columns - 1, np.float32(length - 1)
    while first <= last and not 0 <= start + step * np.float32(first) <= end:
        first += 1
    while first <= last and not 0 <= start + step * np.float32(last) <= end:
        last -= 1
    return first, last + 1


@compiled()
def _row(matrix: Any, row: int, shape: Any, columns: int) -> tuple[Any, Any, int, int]:
    """Where a row of the sampled picture starts on the picture (x, y), and which of its columns lie inside."""
    x, y = matrix[0, 1] * np.float32(row) + matrix[0, 2], matrix[1, 1] * np.float32(row) + matrix[1, 2]
    from_x, to_x = _inside(matrix[0, 0], x, shape[1], columns)
    from_y, to_y = _inside(matrix[1, 0], y, shape[0], columns)
    first = max(from_x, from_y)
    return x, y, first, max(min(to_x, to_y), first)


@compiled()
def _corners(x: Any, y: Any, shape: Any) -> Any:
    """Column and row of the pixel to the left above a position; weights of it, the one right, below, and right below.

    Indices without a sign spare the question whether they count from the end.
    """
    left, top = min(np.int64(x), shape[1] - 2), min(np.int64(y), shape[0] - 2)
    u, v = x - np.float32(left), y - np.float32(top)
    return np.uint64(left), np.uint64(top), (ONE - u) * (ONE - v), u * (ONE - v), (ONE - u) * v, u * v


@lru_cache(maxsize=4)
def kernels(channels: int) -> Kernels:
    """For a number of channels that the compiler knows, so that it unrolls the loops over them."""

    @compiled(PICTURE, MATRIX, PICTURE, numba.float32)
    def sample(planes: Any, matrix: Any, sampled: Any, fill: Any) -> None:
        picture = np.full((planes.shape[1] + 2, planes.shape[2] + 2, channels), fill, np.float32)
        for row in range(planes.shape[1]):
            for column in range(planes.shape[2]):
                for k in range(channels):
                    picture[row + 1, column + 1, k] = planes[k, row, column]
        for row in range(sampled.shape[0]):
            start_x, start_y, first, end = _row(matrix, row, picture.shape, sampled.shape[1])
            sampled[row, :first] = fill
            sampled[row, end:] = fill
            for column in range(first, end):
                x, y = start_x + matrix[0, 0] * np.float32(column), start_y + matrix[1, 0] * np.float32(column)
                left, top, a, b, c, d = _corners(x, y, picture.shape)
                for k in range(channels):
                    above = a * picture[top, left, k] + b * picture[top, left + UNIT, k]
                    below = c * picture[top + UNIT, left, k] + d * picture[top + UNIT, left + UNIT, k]
                    sampled[row, column, k] = above + below

    @compiled(PICTURE, MATRIX, PICTURE)
    def spread(sampled: Any, matrix: Any, planes: Any) -> None:
        picture = np.zeros((planes.shape[1] + 2, planes.shape[2] + 2, channels), np.float32)
        for row in range(sampled.shape[0]):
            start_x, start_y, first, end = _row(matrix, row, picture.shape, sampled.shape[1])
            for column in range(first, end):
                x, y = start_x + matrix[0, 0] * np.float32(column), start_y + matrix[1, 0] * np.float32(column)
                left, top, a, b, c, d = _corners(x, y, picture.shape)
                for k in range(channels):
                    number = sampled[row, column, k]
                    picture[top, left, k] += a * number
                    picture[top, left + UNIT, k] += b * number
                    picture[top + UNIT, left, k] += c * number
                    picture[top + UNIT, left + UNIT, k] += d * number
        for row in range(planes.shape[1]):
            for column in range(planes.shape[2]):
                for k in range(channels):
                    planes[k, row, column] = picture[row + 1, column + 1, k]

    return Kernels(sample, spread)
