"""Films as files: their frames beside each other in one picture, and an animated WebP. Nothing here imports torch."""

from __future__ import annotations

import io
from collections.abc import Sequence

from PIL import Image

ABREAST = 8  # frames in a row of a strip
FRAMES_PER_SECOND = 10
PAPER = "#ffffff"  # behind the last row's frames, where they are fewer


def strip(frames: Sequence[Image.Image]) -> Image.Image:
    """Frames of one size row by row, ``ABREAST`` of them in a row."""
    width, height = frames[0].size
    across, rows = min(len(frames), ABREAST), -(-len(frames) // ABREAST)
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
    across, rows = min(count, ABREAST), -(-count // ABREAST)
    if sheet.size != (across * width, rows * height):
        raise ValueError(f"{sheet.width} x {sheet.height} px are no strip of {count} frames of {height} x {width} px")
    corners = [(at % across * width, at // across * height) for at in range(count)]
    return [sheet.crop((x, y, x + width, y + height)) for x, y in corners]


def animation(frames: Sequence[Image.Image]) -> bytes:
    """Frames as an animated WebP without loss, that begins again at its end; equal frames give equal bytes."""
    first, *others = [frame.convert("RGB") for frame in frames]
    content = io.BytesIO()
    duration = 1000 // FRAMES_PER_SECOND
    first.save(content, "WEBP", save_all=True, append_images=others, duration=duration, loop=0, lossless=True, method=4)
    return content.getvalue()
