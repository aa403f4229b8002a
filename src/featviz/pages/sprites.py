"""Thumbnails of many pictures in few WebP files, each small enough to be there soon."""

from __future__ import annotations

import io
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from PIL import Image

from featviz.errors import one_line
from featviz.reading import opened_png

CELL = 96  # px
COLUMNS = 16
CELLS = 128  # of a file, which has half a megabyte then
QUALITY, EFFORT = 80, 2  # of WebP: 0 to 100, and 0 to 6, which takes twice the time for a fortieth of the bytes
GRAY = (128, 128, 128, 255)  # behind pictures with an alpha channel
CLEAR = "clear"  # says of a cell that its picture has one
AT_ONCE = 4 * CELLS  # pictures in memory


@dataclass(frozen=True)
class Place:
    """Where a thumbnail is: the number of its sprite file, and of its cell there. -1 for a picture that has none."""

    sprite: int = -1
    cell: int = 0


@dataclass
class Sprites:
    """The sprite files of some pictures, the place of each, and by number why some have none, and which are clear.

    A clear picture has an alpha channel.
    """

    files: list[str] = field(default_factory=list)
    places: list[Place] = field(default_factory=list)
    errors: dict[int, str] = field(default_factory=dict)
    clear: set[int] = field(default_factory=set)

    def described(self) -> list[dict[str, str | int]]:
        """As the site's data has them: each is so many cells wide and high."""
        counts = Counter(place.sprite for place in self.places)
        return [
            {"file": name, "cell": CELL, "columns": COLUMNS, "rows": -(-counts[at] // COLUMNS)}
            for at, name in enumerate(self.files)
        ]


def make_sprites(paths: Sequence[Path | None], save: Callable[[int, bytes], str]) -> Sprites:
    """Make the thumbnails of PNG files; None among the paths is a picture without a file.

    ``save`` is handed the number and the content of each sprite file, and returns its name.
    """
    sprites, cells = Sprites(), list[Image.Image]()

    def finish() -> None:
        if cells:
            sprites.files.append(save(len(sprites.files), encoded(cells)))
            cells.clear()

    for at, thumbnail in enumerate(_thumbnails(paths)):
        if isinstance(thumbnail, Image.Image):
            sprites.places.append(Place(len(sprites.files), len(cells)))
            cells.append(thumbnail)
            if CLEAR in thumbnail.info:
                sprites.clear.add(at)
        else:
            sprites.places.append(Place())
            if thumbnail:
                sprites.errors[at] = thumbnail
        if len(cells) == CELLS:
            finish()
    finish()
    return sprites


def _thumbnails(paths: Sequence[Path | None]) -> Iterator[Image.Image | str]:
    """Each picture small, or why there is none; decoding takes all cores."""
    rest = iter(paths)
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        while some := list(islice(rest, AT_ONCE)):
            yield from pool.map(_thumbnail, some)


def _thumbnail(path: Path | None) -> Image.Image | str:
    if path is None:
        return ""
    try:
        with opened_png(path) as image:
            return fitted(image)
    except OSError as error:
        return one_line(error, 120)


def fitted(image: Image.Image) -> Image.Image:
    """A picture as one cell, whole and smooth; beside one that is no square the cell is transparent.

    A clear picture lies on gray, as pages show it, so that it is the same in light and dark.
    """
    scale = CELL / max(image.size)
    size = tuple(max(1, round(side * scale)) for side in image.size)
    has_alpha = image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info
    small = image.convert("RGBA" if has_alpha else "RGB").resize((size[0], size[1]), Image.Resampling.LANCZOS)
    if has_alpha:
        small = Image.alpha_composite(Image.new("RGBA", small.size, GRAY), small).convert("RGB")
    cell = small
    if small.size != (CELL, CELL):
        cell = Image.new("RGBA", (CELL, CELL))
        cell.paste(small, ((CELL - size[0]) // 2, (CELL - size[1]) // 2))
    cell.info = {CLEAR: True} if has_alpha else {}
    return cell


def encoded(cells: Sequence[Image.Image]) -> bytes:
    """Cells side by side, as WebP; equal cells give equal bytes."""
    mode = "RGBA" if any(cell.mode == "RGBA" for cell in cells) else "RGB"
    sheet = Image.new(mode, (COLUMNS * CELL, -(-len(cells) // COLUMNS) * CELL))
    for at, cell in enumerate(cells):
        sheet.paste(cell.convert(mode), (at % COLUMNS * CELL, at // COLUMNS * CELL))
    content = io.BytesIO()
    sheet.save(content, "WEBP", quality=QUALITY, method=EFFORT)
    return content.getvalue()
