"""Frames are the pictures as they were at their steps."""

from pathlib import Path

import numpy as np
from fitting import ADAM, PIXELS, Watch
from growing import GROWING, backbone, fitted
from PIL import Image

from featviz.optim.callbacks.frames import Frames
from featviz.optim.method import Method
from featviz.optim.schedules import Schedule, constant
from featviz.optim.visualizer import FilterVisualizer
from featviz.results.display import COLORS
from featviz.results.frames import find_frames, write_frame


def webp(folder: Path, number: int, picture: Image.Image) -> bytes:
    write_frame(folder, "expected", number, 0, 0, picture)
    return (folder / f"frames/expected/{number:04d}/00000.webp").read_bytes()


def test_each_filters_pictures_at_evenly_spaced_steps(tmp_path: Path) -> None:
    method, watch, filters = Method(PIXELS, constant(16, 6), ADAM), Watch(), [3, 5, 5]
    start = FilterVisualizer(backbone(), method, "4", filters).pictures()
    fitted(method, filters, watch, Frames(tmp_path, 3))
    for at, name in enumerate(("0003", "0005", "0005_1")):
        found = find_frames(tmp_path, f"images/4/{name}.png")
        assert list(found) == [0, 2, 4]
        pictures = [start, watch.pictures[1], watch.pictures[3]]
        for file, expected in zip(found.values(), pictures, strict=True):
            assert (tmp_path / file).read_bytes() == webp(tmp_path, at, COLORS.image(expected[at].clamp(0, 1)))


def test_frames_have_the_size_that_the_picture_has_then(tmp_path: Path) -> None:
    fitted(Method(PIXELS, Schedule(GROWING), ADAM), [3], Frames(tmp_path, 11))
    found = find_frames(tmp_path, "images/4/0003.png")
    assert list(found) == list(range(11))
    sides = [np.array(Image.open(tmp_path / name)).shape[0] for name in found.values()]
    assert sides == [12] * 5 + [16] * 3 + [21] * 3


def test_a_picture_that_begins_anew_loses_its_earlier_frames(tmp_path: Path) -> None:
    method = Method(PIXELS, constant(16, 6), ADAM)
    fitted(method, [3, 5], Frames(tmp_path, 6))
    fitted(method, [3], Frames(tmp_path, 2))
    assert list(find_frames(tmp_path, "images/4/0003.png")) == [0, 3]
    assert list(find_frames(tmp_path, "images/4/0005.png")) == [*range(6)]
