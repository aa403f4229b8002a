"""Frames of a picture in the making, as files of a run."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from featviz.errors import FeatvizError
from featviz.results.frames import (
    find_frames,
    frame_steps,
    frames_folder,
    is_frame,
    is_whole_webp,
    remove_frames,
    write_frame,
)


@pytest.mark.parametrize(
    ("total", "count", "steps"),
    [(512, 4, [0, 128, 256, 384]), (10, 3, [0, 3, 6]), (3, 8, [0, 1, 2]), (7, 1, [0]), (5, 0, [])],
)
def test_frames_are_evenly_spaced_from_the_start(total: int, count: int, steps: list[int]) -> None:
    assert frame_steps(total, count) == steps


@pytest.mark.parametrize(
    ("size", "mode", "kept"),
    [((64, 64), "RGB", (64, 64)), ((512, 512), "RGB", (256, 256)), ((400, 800), "L", (128, 256))],
)
def test_frames_are_small_and_in_color(size: tuple[int, int], mode: str, kept: tuple[int, int], tmp_path: Path) -> None:
    picture = Image.linear_gradient("L").resize(size).convert(mode)
    write_frame(tmp_path, "blocks.1", 7, 0, 96, picture)
    path = tmp_path / "frames/blocks.1/0007/00096.webp"
    first = path.read_bytes()
    with Image.open(path) as frame:
        assert (frame.size, frame.mode) == (kept, "RGB")
        expected = np.array(picture.convert("RGB").resize(kept, Image.Resampling.LANCZOS), float)
        assert np.abs(np.array(frame, float) - expected).mean() < 3  # of 255: WebP is not exact
    write_frame(tmp_path, "blocks.1", 7, 0, 96, picture)
    assert path.read_bytes() == first


def test_frames_are_found_by_the_pictures_name_in_the_order_of_steps(tmp_path: Path) -> None:
    for step in (128, 0, 100_000):
        write_frame(tmp_path, "layer4", 7, 1, step, Image.new("RGB", (8, 8)))
    write_frame(tmp_path, "layer4", 7, 0, 5, Image.new("RGB", (8, 8)))
    (tmp_path / "frames/layer4/0007_1/notes.webp").write_bytes(b"of somebody else")
    found = find_frames(tmp_path, "images/layer4/0007_1.png")
    assert list(found.items()) == [
        (0, "frames/layer4/0007_1/00000.webp"),
        (128, "frames/layer4/0007_1/00128.webp"),
        (100_000, "frames/layer4/0007_1/100000.webp"),
    ]
    assert all(is_frame(name) for name in found.values())
    assert not is_frame("images/layer4/0007.png")
    remove_frames(tmp_path, "layer4", 7, 1)
    assert find_frames(tmp_path, "images/layer4/0007_1.png") == {}
    assert find_frames(tmp_path, "images/layer4/0007.png") == {5: "frames/layer4/0007/00005.webp"}
    assert find_frames(tmp_path, "images/layer4/0008.png") == {}


def test_frames_behind_a_link_out_of_the_run_are_refused(tmp_path: Path) -> None:
    run = tmp_path / "run"
    write_frame(tmp_path / "other", "layer4", 7, 0, 0, Image.new("RGB", (8, 8)))
    run.mkdir()
    (run / "frames").symlink_to(tmp_path / "other/frames")
    with pytest.raises(FeatvizError) as caught:
        find_frames(run, "images/layer4/0007.png")
    assert caught.value.got == "frames/layer4/0007"


@pytest.mark.parametrize("damage", [lambda content: content[:-1], lambda _: b"", lambda content: b"x" + content[1:]])
def test_a_frame_that_was_cut_short_is_seen(damage, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    write_frame(tmp_path, "layer4", 7, 0, 0, Image.new("RGB", (8, 8)))
    path = tmp_path / frames_folder("images/layer4/0007.png") / "00000.webp"
    assert is_whole_webp(path)
    path.write_bytes(damage(path.read_bytes()))
    assert not is_whole_webp(path)
