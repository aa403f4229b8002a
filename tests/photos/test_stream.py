"""Photos as they are read, in batches and in order."""

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from photo_folder import NAMES, tiny
from PIL import Image

import featviz
from featviz.photos.files import load_photo
from featviz.photos.stream import PhotoStream, evenly_spaced

pytestmark = pytest.mark.usefixtures("photos_here")


def test_the_first_frame_and_sixteen_bits_are_shown_as_photos_are() -> None:
    frames = [Image.new("RGB", (50, 50), color) for color in ("red", "blue")]
    frames[0].save("animated.gif", save_all=True, append_images=frames[1:])
    Image.fromarray(np.full((64, 64), 32768, np.uint16)).save("sixteen.png")
    files = [Path("animated.gif"), Path("sixteen.png"), Path("photos/000.png")]
    (batch,) = PhotoStream(files, 48, batch_size=4)
    assert batch.numbers == [0, 1, 2]
    assert batch.sizes == [(50, 50), (64, 64), (96, 130)]
    for at, file in enumerate(files):
        assert torch.equal(batch.pictures[at], load_photo(file, 48))
    assert batch.pictures[0, :, 5, 5].tolist() == [1, 0, 0]


@pytest.mark.parametrize("channels", [1, 4])
def test_other_channels(channels: int) -> None:
    (batch,) = PhotoStream([Path("photos/000.png")], 32, channels, batch_size=2)
    assert torch.equal(batch.pictures[0], load_photo("photos/000.png", 32, channels))
    assert batch.pictures.shape == (2, channels, 32, 32)


def test_photos_come_in_order_whoever_is_read_first() -> None:
    stream = PhotoStream([Path("photos", name) for name in NAMES], 48, batch_size=8, threads=7)
    numbers = [number for batch in stream for number in batch.numbers]
    assert numbers == list(range(70))
    assert [number for batch in stream for number in batch.numbers] == numbers  # and again


class Slow(PhotoStream):
    """Notes what is being read while nobody asks for more."""

    started = 0

    def _read(self, file: Path) -> object:
        self.started += 1
        return super()._read(file)


def test_reading_goes_on_while_the_network_is_at_work_but_not_without_end() -> None:
    stream = Slow([Path("photos", name) for name in NAMES], 48, batch_size=8, threads=2)
    batches: Iterator[object] = iter(stream)
    next(batches)
    deadline = time.monotonic() + 10
    while stream.started < 8 + 16 and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.05)
    assert 8 + 16 <= stream.started <= 8 + 16 + 2
    batches.close()  # type: ignore[attr-defined]


def test_a_limit_takes_photos_from_all_over() -> None:
    files = [Path(str(at)) for at in range(10)]
    assert [int(str(file)) for file in evenly_spaced(files, 4)] == [0, 2, 5, 7]
    assert evenly_spaced(files, None) == evenly_spaced(files, 99) == files
    found = featviz.exemplars(tiny(), "photos", "second", [0], k=9, limit=7)
    assert found.statistics[0].photos == 7
    assert {one.photo.name for one in found.strongest} == {f"{at:03d}.png" for at in range(0, 70, 10)}
