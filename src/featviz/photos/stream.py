"""Photos in a stream: read and brought to a network's size in the background, while the network is at work."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from featviz.errors import FeatvizError, one_line
from featviz.photos.files import enlarges, fit_levels, read_photo
from featviz.shapes import Shape, Size

Item = TypeVar("Item")

BATCHES_AHEAD = 2  # read before the network asks for them
MOST_THREADS = 16


@dataclass(frozen=True)
class Batch:
    """``pictures`` (batch size, C, H, W) in [0, 1], the first of them of ``files[numbers[i]]``, whose ``sizes`` are
    (width, height) in px; a last batch is filled up with gray ones, so that all are computed alike."""

    numbers: list[int]
    sizes: list[tuple[int, int]]
    pictures: Tensor


@dataclass(frozen=True)
class _Read:
    levels: np.ndarray  # (C, H, W), of 256
    size: tuple[int, int]


class PhotoStream:
    """Batches of photos in the order of ``files``; what cannot be read is left out and noted in ``skipped``.

    Threads read ahead: Pillow decodes and resizes without holding Python's lock. They make no tensors, since torch
    would give each thread a pool of its own. However many files there are, a fixed number of photos is in memory.
    """

    def __init__(
        self, files: Sequence[Path], size: Size, channels: int = 3, batch_size: int = 32, threads: int | None = None
    ) -> None:
        self.files = files
        self.size, self.channels, self.batch_size = size, channels, batch_size
        self.threads = threads or min(MOST_THREADS, _cores())
        self.skipped: dict[Path, str] = {}
        self.enlarged = 0  # photos that are smaller than the network's input
        self._first = 0

    def go_on(self, first: int, skipped: Mapping[int, str], enlarged: int) -> None:
        """Begin with the file of number ``first``; what is known of those before it is handed over."""
        self._first, self.enlarged = first, enlarged
        self.skipped = {self.files[number]: why for number, why in skipped.items()}

    def __iter__(self) -> Iterator[Batch]:
        """Read all files once, from the first one on."""
        if not self._first:
            self.skipped, self.enlarged = {}, 0
        photos = self._photos()
        while batch := list(islice(photos, self.batch_size)):
            yield self._batch(batch)

    def _photos(self) -> Iterator[tuple[int, _Read]]:
        """The photos that can be read, with their files' numbers."""
        pool = ThreadPoolExecutor(self.threads, "photos")
        ahead: deque[tuple[int, Future[_Read]]] = deque()
        try:
            for number in range(self._first, len(self.files)):
                ahead.append((number, pool.submit(self._read, self.files[number])))
                if len(ahead) > BATCHES_AHEAD * self.batch_size:
                    yield from self._finished(*ahead.popleft())
            while ahead:
                yield from self._finished(*ahead.popleft())
        finally:
            pool.shutdown(cancel_futures=True)

    def _read(self, file: Path) -> _Read:
        image = read_photo(file)
        return _Read(fit_levels(image, self.size, self.channels), image.size)

    def _finished(self, number: int, reading: Future[_Read]) -> Iterator[tuple[int, _Read]]:
        file = self.files[number]
        try:
            photo = reading.result()
        except FeatvizError as error:
            self.skipped[file] = str(error)
        except MemoryError:
            raise
        except Exception as error:  # damaged files make Pillow's readers raise nearly anything
            self.skipped[file] = f"photo {file} cannot be read: {one_line(repr(error))}"
        else:
            self.enlarged += enlarges(photo.size, self.size)
            yield number, photo

    def _batch(self, photos: list[tuple[int, _Read]]) -> Batch:
        levels = np.full((self.batch_size, self.channels, *Shape.of(self.size)), 128, np.uint8)
        for place, (_, photo) in enumerate(photos):
            levels[place] = photo.levels
        pictures = torch.from_numpy(levels).float() / 255
        return Batch([number for number, _ in photos], [photo.size for _, photo in photos], pictures)


def evenly_spaced(files: Sequence[Item], limit: int | None) -> list[Item]:
    """``limit`` of the files, evenly spaced, so that the folders of all classes have their share; null takes all."""
    if limit is None or limit >= len(files):
        return list(files)
    return [files[at * len(files) // limit] for at in range(limit)]


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
