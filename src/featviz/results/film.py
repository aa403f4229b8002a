"""Films as files: their frames beside each other in one picture, and an animated WebP. Nothing here imports torch."""

from __future__ import annotations

import io
from collections.abc import Sequence
from math import log

from PIL import Image

PROPORTIONS = 2.0  # width over height of a strip, as nearly as its frames allow
FRAMES_PER_SECOND = 10
PAPER = "#ffffff"  # behind the last row's frames, where they are fewer


def strip(frames: Sequence[Image.Image]) -> Image.Image:
    """Frames of one size row by row: a picture about twice as wide as high."""
    width, height = frames[0].size
    across, rows = _grid(len(frames), height, width)
    paper = PAPER if frames[0].mode == "RGB" else 255
    sheet = Image.new(frames[0].mode, (across * width, rows * height), paper)
    for at, frame in enumerate(frames):
        sheet.paste(frame, (at % across * width, at // across * height))
    return sheet


def cut(sheet: Image.Image, count: int, height: int, width: int) -> list[Image.Image]:
    """The inverse of ``strip``: so many frames of a height and width, in px.

    Raises:
        ValueError: the sheet is none of such frames.
    """
    across, rows = _grid(count, height, width)
    if sheet.size != (across * width, rows * height):
        raise ValueError(f"{sheet.width} x {sheet.height} px are no strip of {count} frames of {height} x {width} px")
    corners = [(at % across * width, at // across * height) for at in range(count)]
    return [sheet.crop((x, y, x + width, y + height)) for x, y in corners]


def _grid(count: int, height: int, width: int) -> tuple[int, int]:
    """Frames in a row, and rows, of a strip: few places stay empty, and it has about its proportions."""

    def unfit(across: int) -> float:
        rows = -(-count // across)
        return abs(log(across * width / (rows * height * PROPORTIONS))) + (across * rows - count) / count

    across = min(range(1, count + 1), key=unfit)
    return across, -(-count // across)


def animation(frames: Sequence[Image.Image]) -> bytes:
    """Frames as an animated WebP without loss, that begins again at its end; equal frames give equal bytes."""
    first, *others = [frame.convert("RGB") for frame in frames]
    content = io.BytesIO()
    duration = 1000 // FRAMES_PER_SECOND
    first.save(content, "WEBP", save_all=True, append_images=others, duration=duration, loop=0, lossless=True, method=4)
    return content.getvalue()
