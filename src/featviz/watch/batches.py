"""What the pictures of a training are like, read off a batch of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from torch import Tensor

PICTURES = 4  # dimensions of a batch of them: pictures, channels, height, width

#: Channels, height and width.
PictureShape = tuple[int, int, int]


def picture_shape(batch: Any) -> PictureShape | None:
    """The shape (C, H, W) of the first tensor (N, C, H, W) in a batch; None where there is none.

    Looked through are tuples and lists in order, and the values of dicts, as data loaders hand them out.
    """
    return next(((found.shape[1], found.shape[2], found.shape[3]) for found in _pictures(batch)), None)


def _pictures(batch: Any) -> Iterator[Tensor]:
    if isinstance(batch, Tensor):
        if batch.ndim == PICTURES:
            yield batch
    elif isinstance(batch, Mapping):
        yield from _pictures(list(batch.values()))
    elif isinstance(batch, Sequence) and not isinstance(batch, str | bytes):
        for part in batch:
            yield from _pictures(part)
