"""Bilinear resampling of one picture on a CPU, compiled by Numba on first use; its machine code is kept on disk."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

import numba
import numpy as np

from featviz.transforms.kernels.compiled import compiled

ONE = np.float32(1)
PICTURE, MATRIX, CHANNELS = numba.float32[:, :, ::1], numba.float32[:, ::1], numba.float32[::1]


class Kernels(NamedTuple):
    """Go through a picture (C, H, W), a matrix (2, 3) and a sampled picture (S, S, C), all float32.

    The matrix takes column and row of a sampled pixel to column and row, with fractions, on the picture.
    ``sample(picture, matrix, sampled, scale, shift, fill)`` writes what is there, or ``fill`` a pixel beside the
    picture and beyond, each channel times its scale plus its shift, (C,) both. Its adjoint, ``distribute(sampled,
    matrix, picture, scale)``, gives each pixel the sum of the sampled numbers that it has gone into, by its weights,
    times its scale.
    """

    sample: Callable[..., None]
    distribute: Callable[..., None]


@compiled()
def _inside(start: Any, step: Any, length: int, columns: int) -> tuple[int, int]:
    """From which column to before which one ``start + step * column`` lies in a row of ``length`` pixels."""
    first, last, end = 0, columns - 1, np.float32(length - 1)
    while first <= last and not 0 <= start + step * np.float32(first) < end:
        first += 1
    while first <= last and not 0 <= start + step * np.float32(last) < end:
        last -= 1
    return first, last + 1


@compiled()
def _row(matrix: Any, row: int, framed: tuple[int, int], columns: int, at: Any, u: Any, v: Any) -> tuple[int, int]:
    """From which column to before which one a row of the sampled picture lies on the framed one, and where.

    Writes for each of these the number of the pixel to the left above, and how far right of it and below it lies.
    """
    x = matrix[0, 1] * np.float32(row) + matrix[0, 2] + ONE
    y = matrix[1, 1] * np.float32(row) + matrix[1, 2] + ONE
    from_x, to_x = _inside(x, matrix[0, 0], framed[1], columns)
    from_y, to_y = _inside(y, matrix[1, 0], framed[0], columns)
    first = max(from_x, from_y)
    end = max(min(to_x, to_y), first)
    for n in range(end - first):  # counted from 0, so that it becomes a loop over vectors
        column = np.float32(np.int32(first + n))
        left, top = np.int32(x + matrix[0, 0] * column), np.int32(y + matrix[1, 0] * column)
        at[n] = top * np.int32(framed[1]) + left
        u[n] = x + matrix[0, 0] * column - np.float32(left)
        v[n] = y + matrix[1, 0] * column - np.float32(top)
    return first, end


@compiled()
def _weights(u: Any, v: Any) -> tuple[Any, Any, Any, Any]:
    """Of the pixel to the left above a position, the one right of it, the one below, and right below."""
    return (ONE - u) * (ONE - v), u * (ONE - v), (ONE - u) * v, u * v


@compiled()
def _empty_row(columns: int) -> tuple[Any, Any, Any]:
    return np.empty(columns, np.uint32), np.empty(columns, np.float32), np.empty(columns, np.float32)


@compiled()
def _write_pixels(pixels: Any, color: Any) -> None:
    for n in range(len(pixels)):
        for k in range(pixels.shape[1]):
            pixels[n, k] = color[k]


@compiled()
def _write_frame(framed: Any, color: Any) -> None:
    """Around a picture: a pixel to the left, to the right and above, and three below."""
    _write_pixels(framed[0], color)
    for row in range(1, framed.shape[0] - 3):
        _write_pixels(framed[row, :1], color)
        _write_pixels(framed[row, -1:], color)
    for row in range(framed.shape[0] - 3, framed.shape[0]):
        _write_pixels(framed[row], color)


@lru_cache(maxsize=4)
def kernels(channels: int) -> Kernels:
    """For a number of channels that the compiler knows, so that it unrolls the loops over them.

    A framed picture has two rows more below its frame: numbers are rounded, not everywhere alike, and what was found to
    lie inside may lie a pixel further. Places in flat arrays are unsigned: the compiler then knows that none of them
    counts from the end.
    """
    return Kernels(_sample(channels), _distribute(channels))


def _sample(channels: int) -> Callable[..., None]:
    @compiled(PICTURE, MATRIX, PICTURE, CHANNELS, CHANNELS, numba.float32)
    def sample(planes: Any, matrix: Any, sampled: Any, scale: Any, shift: Any, fill: Any) -> None:
        height, width, columns = planes.shape[1] + 2, planes.shape[2] + 2, sampled.shape[1]
        framed = np.empty((height + 2, width, channels), np.float32)
        edge = np.empty(channels, np.float32)
        for k in range(channels):
            edge[k] = fill * scale[k] + shift[k]
        _write_frame(framed, edge)
        for row in range(planes.shape[1]):
            for column in range(planes.shape[2]):
                for k in range(channels):
                    framed[row + 1, column + 1, k] = planes[k, row, column] * scale[k] + shift[k]
        flat, target = framed.reshape(framed.size), sampled.reshape(sampled.size)
        right, below = np.uint64(channels), np.uint64(width * channels)
        at, u, v = _empty_row(columns)
        for row in range(sampled.shape[0]):
            first, end = _row(matrix, row, (height, width), columns, at, u, v)
            for n in range(end - first):
                place, goal = np.uint64(at[n]) * right, np.uint64((row * columns + first + n) * channels)
                w = _weights(u[n], v[n])
                for channel in range(channels):
                    pixel = place + np.uint64(channel)
                    target[goal + np.uint64(channel)] = (
                        flat[pixel] * w[0]
                        + flat[pixel + right] * w[1]
                        + flat[pixel + below] * w[2]
                        + flat[pixel + below + right] * w[3]
                    )
            _write_pixels(sampled[row, :first], edge)
            _write_pixels(sampled[row, end:], edge)

    return sample


def _distribute(channels: int) -> Callable[..., None]:
    # a compiled function that is chosen out here, and not called by its name, would be compiled anew in each process
    @compiled(PICTURE, MATRIX, PICTURE, CHANNELS)
    def distribute(sampled: Any, matrix: Any, planes: Any, scale: Any) -> None:
        height, width, columns = planes.shape[1] + 2, planes.shape[2] + 2, sampled.shape[1]
        framed = np.zeros((height + 2, width, channels), np.float32)
        flat, source = framed.reshape(framed.size), sampled.reshape(sampled.size)
        right, below = np.uint64(channels), np.uint64(width * channels)
        at, u, v = _empty_row(columns)
        for row in range(sampled.shape[0]):
            first, end = _row(matrix, row, (height, width), columns, at, u, v)
            if channels == 3 and end > first:
                _add_colors(flat, below, source[(row * columns + first) * channels :], at[: end - first], u, v)
                continue
            for n in range(end - first):
                place, origin = np.uint64(at[n]) * right, np.uint64((row * columns + first + n) * channels)
                w = _weights(u[n], v[n])
                for channel in range(channels):
                    pixel, number = place + np.uint64(channel), source[origin + np.uint64(channel)]
                    flat[pixel] += number * w[0]
                    flat[pixel + right] += number * w[1]
                    flat[pixel + below] += number * w[2]
                    flat[pixel + below + right] += number * w[3]
        for row in range(planes.shape[1]):
            for column in range(planes.shape[2]):
                for k in range(channels):
                    planes[k, row, column] = framed[row + 1, column + 1, k] * scale[k]

    return distribute


@compiled()
def _pixel(flat: Any, place: Any) -> tuple[Any, Any, Any]:
    return flat[place], flat[place + np.uint64(1)], flat[place + np.uint64(2)]


@compiled()
def _set_pixel(flat: Any, place: Any, color: Any) -> None:
    flat[place], flat[place + np.uint64(1)], flat[place + np.uint64(2)] = color


@compiled()
def _plus(sums: Any, color: Any, weight: Any) -> tuple[Any, Any, Any]:
    return sums[0] + color[0] * weight, sums[1] + color[1] * weight, sums[2] + color[2] * weight


@compiled()
def _add_colors(flat: Any, below: Any, source: Any, at: Any, u: Any, v: Any) -> None:
    """Add a row's numbers of three channels to four pixels each: the right ones are mostly the next number's left ones.

    Their sums stay in registers meanwhile, and are not read back from where they have just been written.
    """
    right = np.uint64(3)
    place = np.uint64(at[0]) * right
    above, lower = _pixel(flat, place), _pixel(flat, place + below)
    for n in range(len(at)):
        goal = np.uint64(at[n]) * right
        if goal != place:
            _set_pixel(flat, place, above)
            _set_pixel(flat, place + below, lower)
            place = goal
            above, lower = _pixel(flat, place), _pixel(flat, place + below)
        color, w = _pixel(source, np.uint64(n * 3)), _weights(u[n], v[n])
        _set_pixel(flat, place, _plus(above, color, w[0]))
        _set_pixel(flat, place + below, _plus(lower, color, w[2]))
        place += right
        above = _plus(_pixel(flat, place), color, w[1])
        lower = _plus(_pixel(flat, place + below), color, w[3])
    _set_pixel(flat, place, above)
    _set_pixel(flat, place + below, lower)
