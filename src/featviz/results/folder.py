"""The run folder: pictures, their table, the configuration, and a grid for each layer."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import cast

from PIL import Image
from torch import Tensor

from featviz.errors import FeatvizError, one_line
from featviz.reading import LONGEST_TABLE, check_relative, inside, opened_png, read_bytes
from featviz.results import sheets
from featviz.results.display import COLORS, Display
from featviz.results.files import (
    alone,
    file_name,
    from_csv_cell,
    in_one_line,
    picture_path,
    png,
    remove,
    write_file,
    write_table,
)
from featviz.results.film import animation
from featviz.results.rows import COLUMNS, NAMES, Row, columns_of, heading, is_doubtful, key_of, outcome, subject
from featviz.results.saved_pictures import read_picture
from featviz.results.tensors import npy, quantize
from featviz.results.units import Units
from featviz.shapes import Shape, size_of_text

BESIDE = (".npy", ".webp")  # of a picture's PNG: its values, and a film
NUMBERS: dict[str, Callable[[str], float | str]] = {
    "size": size_of_text,
    **dict.fromkeys(("filter", "concept", "variant", "seed", "steps"), int),
    **dict.fromkeys(("activation", "start_activation", "seconds"), float),
}


class RunFolder:
    """Writes a run's files; folders are made when first needed."""

    def __init__(self, path: str | Path) -> None:
        """Name the folder; nothing is written yet."""
        self.path = Path(path)

    def save_chunk(
        self,
        pictures: Tensor,
        rows: Sequence[Row],
        opacity: Tensor | None = None,
        display: Display = COLORS,
        units: Units | None = None,
    ) -> list[Row]:
        """Save pictures (N, C, H, W) in [0, 1], or films, and their rows; return the rows with ``image`` filled in.

        ``opacity`` (N, 1, H, W) in [0, 1] becomes the alpha channel. ``display`` makes images of the pictures: of a
        film an animated WebP, and a strip of its frames as PNG. What a PNG cannot hold lies in a .npy beside it; with
        ``units``, all that the network sees, unrounded.

        A row for the same layer, filter and variant replaces the older one. A picture with numbers that are not finite
        gets no file.
        """
        alphas = [None] * len(rows) if opacity is None else list(opacity)
        each = zip(pictures.detach(), rows, alphas, strict=True)
        saved = [self._save_picture(*item, display, units) for item in each]
        self.save_rows(saved)
        return saved

    def save_rows(self, rows: Sequence[Row]) -> None:
        """Put rows into the table; one for the same layer, filter and variant replaces the older one."""
        table = self.path / "results.csv"
        with alone(self.path):
            rows_by_key = {key_of(row): row for row in (read_rows(table) if table.exists() else [])}
            rows_by_key.update({key_of(row): row for row in rows})
            write_table(table, columns_of(rows_by_key.values()), list(rows_by_key.values()))

    def count(self) -> int:
        """How many rows there are."""
        table = self.path / "results.csv"
        return len(read_rows(table)) if table.exists() else 0

    def load_picture(self, row: Row) -> Tensor | None:
        """Read a picture (C, H, W) in [0, 1], or a film, as it was saved; None where there is none."""
        path = inside(self.path, row["image"])
        if not row["image"] or not path.exists():
            return None
        return read_picture(path, Shape.of_text(str(row["size"])))

    def write_config(self, text: str) -> None:
        """Write ``config.yaml``."""
        write_file(self.path / "config.yaml", text.encode())

    def write_grids(self) -> list[Path]:
        """Write ``grid_<layer>.png`` for every layer in ``results.csv``; return their paths."""
        layers: dict[str, list[Row]] = {}
        for row in sorted(read_rows(self.path), key=lambda row: (row["filter"], row["variant"])):
            layers.setdefault(row["layer"], []).append(row)
        paths = [self.path / f"grid_{file_name(layer)}.png" for layer in layers]
        for path, rows in zip(paths, layers.values(), strict=True):
            write_file(path, png(self._grid(rows)))
        return paths

    def _grid(self, rows: list[Row]) -> Image.Image:
        side = sheets.largest_side(len(rows))
        tiles = [load_tile(self.path, row, side) for row in rows]
        labels = [f"{subject(row)}   {outcome(row)}" for row in rows]
        warn = [i for i, row in enumerate(rows) if is_doubtful(row)]
        return sheets.grid(tiles, labels, heading(rows), warn=warn)

    def _save_picture(
        self, picture: Tensor, row: Row, alpha: Tensor | None, display: Display, units: Units | None
    ) -> Row:
        """Write one picture (C, H, W), or film, or remove an older one where there is none to write."""
        name = picture_path(row["layer"], row["filter"], row["variant"])
        path = self.path / name
        if not picture.isfinite().all():
            remove(path, *(path.with_suffix(ending) for ending in BESIDE))
            return {**row, "image": ""}
        image = display.image(picture)
        if alpha is not None:
            image.putalpha(COLORS.image(alpha))
        contents = _beside(picture, display, units)
        for ending in BESIDE:
            if ending in contents:
                write_file(path.with_suffix(ending), contents[ending])
        write_file(path, png(image, row, units.text() if units else {}))
        remove(*(path.with_suffix(ending) for ending in BESIDE if ending not in contents))
        return {**row, "image": name}


def _beside(picture: Tensor, display: Display, units: Units | None) -> dict[str, bytes]:
    """What is written beside a picture's PNG, by the ending of its file."""
    contents = {".webp": animation(display.frames(picture))} if picture.ndim > 3 else {}
    if units:
        contents[".npy"] = npy(units.values(picture[None])[0].float())
    elif not display.is_exact(picture):
        contents[".npy"] = npy(quantize(picture))
    return contents


def read_rows(path: str | Path) -> list[Row]:
    """Read ``results.csv``, given by its own path or its folder's."""
    path = Path(path) / "results.csv" if Path(path).is_dir() else Path(path)
    with in_one_line("read", path):
        content = read_bytes(path, LONGEST_TABLE)
    try:
        text = content.decode("utf-8-sig", "surrogateescape")  # spreadsheets add a mark
        table = csv.DictReader(io.StringIO(text, newline=""))
        return [_row(line) for line in table]
    except (KeyError, TypeError, ValueError, csv.Error) as error:
        what, expected = f"cannot read {path}: {one_line(repr(error))}", f"the columns {','.join(COLUMNS)}"
        raise FeatvizError(what, got=str(path), expected=expected) from error


def _row(line: dict[str, str]) -> Row:
    values = {name: NUMBERS.get(name, from_csv_cell)(line[name]) for name in COLUMNS}
    if values["image"]:
        check_relative(str(values["image"]), ".png")
    others = {name: value for name, value in line.items() if name not in COLUMNS and value}
    names = {name: NUMBERS.get(name, from_csv_cell)(others.pop(name)) for name in NAMES if name in others}
    return cast(Row, values | names | {name: float(value) for name, value in others.items()})


def load_tile(folder: Path, row: Row, largest: int = sheets.LARGEST) -> sheets.Tile:
    """Load a row's picture, made fit for a sheet, or the word that stands in its place."""
    path = inside(folder, row["image"])
    if not row["image"] or not path.exists():
        return "missing" if row["image"] else row["status"]
    with in_one_line("read", path), opened_png(path) as image:
        return sheets.fit(image, largest)
