"""Films (N, C, T, H, W) beside pictures (N, C, H, W): what is done frame by frame, and how both are resampled."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor
from torch.nn import functional as F

from featviz.shapes import Shape


def frames_of(films: Tensor) -> Tensor:
    """The frames of films (N, C, T, H, W) as pictures (N * T, C, H, W)."""
    return films.transpose(1, 2).flatten(0, 1)


def films_of(frames: Tensor, count: int) -> Tensor:
    """The inverse of ``frames_of``: frames (N * T, ...) of films of ``count`` frames."""
    return frames.view(-1, count, *frames.shape[1:]).transpose(1, 2)


def by_frame(change: Callable[[Tensor], Tensor], pictures: Tensor) -> Tensor:
    """Change pictures (N, C, H, W), and of films (N, C, T, H, W) each frame by itself."""
    if pictures.ndim < 5:
        return change(pictures)
    return films_of(change(frames_of(pictures)), pictures.shape[2])


def resized(pictures: Tensor, shape: Shape, mode: str = "bilinear", antialias: bool = False) -> Tensor:
    """Resample pictures, or films, to a shape; ``mode`` is that of height and width, and over time it is linear."""
    if Shape(pictures.shape[2:]) == shape:
        return pictures
    height, width = shape.frame

    def change(frames: Tensor) -> Tensor:
        return F.interpolate(frames, (height, width), mode=mode, align_corners=False, antialias=antialias)

    found = by_frame(change, pictures)
    if Shape(found.shape[2:]) == shape:
        return found
    return F.interpolate(found, tuple(shape), mode="trilinear", align_corners=False)


def axes_of(pictures: Tensor) -> tuple[int, ...]:
    """All axes but the first one, that of the pictures."""
    return tuple(range(1, pictures.ndim))


def for_channels(numbers: Tensor, axes: int) -> Tensor:
    """A number for each channel, (C,), in a shape that goes with pictures (N, C, ...) of so many ``axes`` behind."""
    return numbers.view(1, -1, *[1] * axes)
