"""Frames: how a picture came about, as small pictures of some of its steps. Nothing here imports torch."""

from __future__ import annotations

import io
import re
from pathlib import Path

from PIL import Image

from featviz.reading import LARGEST_PNG, check_plain_file, inside
from featviz.results.files import picture_path, remove, write_file

FOLDER, ENDING = "frames", ".webp"
LARGEST = 256  # px, the longer side
STEP = re.compile(r"[0-9]{5,9}")  # how a frame's file is called
QUALITY, EFFORT = 80, 2  # of WebP, 0 to 100 and 0 to 6


def frames_folder(image: str) -> str:
    """Where the frames of a picture lie, by the name of its file.

    Example:
        >>> frames_folder("images/layer4/0007.png")
        'frames/layer4/0007'
    """
    return f"{FOLDER}/{image.removesuffix('.png').partition('/')[2]}"


def is_frame(name: str) -> bool:
    """Whether a file of a run is a frame, by its name."""
    return name.startswith(f"{FOLDER}/") and name.endswith(ENDING)


def frame_steps(total: int, count: int) -> list[int]:
    """The steps that ``count`` frames show: evenly spaced from 0, the start, so that the finished picture would follow.

    Example:
        >>> frame_steps(512, 4)
        [0, 128, 256, 384]
    """
    return sorted({at * total // count for at in range(count)}) if count < total else list(range(total))


def write_frame(run: Path, layer: str, number: int, variant: int, step: int, picture: Image.Image) -> None:
    """Write the picture of a filter as it is after so many steps into a run's folder; equal ones give equal bytes."""
    small = picture.convert("RGB")
    if max(small.size) > LARGEST:
        small.thumbnail((LARGEST, LARGEST), Image.Resampling.LANCZOS)
    content = io.BytesIO()
    small.save(content, "WEBP", quality=QUALITY, method=EFFORT)
    folder = run / frames_folder(picture_path(layer, number, variant))
    write_file(folder / f"{step:05d}{ENDING}", content.getvalue())


def remove_frames(run: Path, layer: str, number: int, variant: int) -> None:
    """Remove the frames of a picture that is made anew."""
    remove(*(run / name for name in find_frames(run, picture_path(layer, number, variant)).values()))


def find_frames(run: Path, image: str) -> dict[int, str]:
    """The frames of a picture by their step, as names of files below the run's folder."""
    folder = frames_folder(image)
    stems = (path.stem for path in inside(run, folder).glob(f"*{ENDING}"))
    steps = sorted({int(stem): stem for stem in stems if STEP.fullmatch(stem)}.items())
    return {step: f"{folder}/{stem}{ENDING}" for step, stem in steps}


def is_whole_webp(path: Path) -> bool:
    """Whether a WebP file has as many bytes as its head says."""
    check_plain_file(path, LARGEST_PNG)
    with path.open("rb") as file:
        head = file.read(12)
    is_webp = head[:4] == b"RIFF" and head[8:] == b"WEBP"
    return is_webp and int.from_bytes(head[4:8], "little") + 8 == path.stat().st_size
