"""A figure for a paper, of pictures that runs have made: what stands where in it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import ceil, sqrt
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from featviz.errors import FeatvizError, at_least, one_of
from featviz.pages.find import find_runs
from featviz.photos.files import distinct_names
from featviz.photos.patches import squared
from featviz.photos.table_rows import ExemplarRow
from featviz.photos.tables import read_exemplars
from featviz.reading import inside, opened_png
from featviz.results.folder import load_tile, read_rows
from featviz.results.paper import WIDEST_TILE, PaperFigure, Table, draw
from featviz.results.result import Result
from featviz.results.rows import Row, is_weak, three_digits
from featviz.results.sheets import Cell, Tile

PHOTOS = "photos"


class Unit(NamedTuple):
    """A filter of a layer, or of whichever layer a row is of."""

    layer: str | None
    number: int


@dataclass(frozen=True)
class Picture:
    """A picture of a run: what its run is called, its row of the table, and how it is read."""

    run: str
    row: Row
    load: Callable[[], Tile]


#: What a row of the figure can be of.
KEYS: Mapping[str, Callable[[Picture], str]] = {
    "recipe": lambda picture: picture.row["recipe"],
    "run": lambda picture: picture.run,
    "checkpoint": lambda picture: picture.row["weights"],
    "layer": lambda picture: picture.row["layer"],
    "model": lambda picture: picture.row["model"],
}


def figure(
    runs: str | Path | Result | Sequence[str | Path | Result],
    units: int | str | Sequence[int | str],
    rows: str = "recipe",
    labels: Sequence[str] | Mapping[str, str] | None = None,
    output: str | Path | None = None,
    photos: int = 4,
    values: bool = False,
    width: float = 5.5,
) -> PaperFigure:
    """A figure for a paper: a column for each unit, a row for each recipe, run, checkpoint, layer or model.

    Where one of the runs is of ``task=exemplars``, the strongest photos of each unit stand beside its picture, or,
    where they are the same in all rows, in a row of their own. Pictures that another filter's surpasses say so.

    Args:
        runs: folders of runs, of sweeps or of exemplars, patterns of such, or what :func:`featviz.visualize` returned.
        units: numbers of filters, ``[0, 3]``, ``"0-7"``, or with the layer, ``["layer3/7", "layer4/7"]``.
        rows: what each row is of: ``recipe``, ``run``, ``checkpoint``, ``layer`` or ``model``.
        labels: a label for each row, in their order, or {what the row is of: label}.
        output: a file, ``figure.pdf``, ``.svg`` or ``.png`` (300 dpi), or a name without an ending for all three.
        photos: of a unit's strongest ones, so many are shown in a square; 0 shows none.
        values: whether activations are written below the pictures.
        width: of the figure in inches; it is narrower where pictures would be larger than 1.6 inches.

    Returns:
        The figure, which a notebook shows, and whose ``save`` writes it. The same pictures give the same bytes.

    Raises:
        FeatvizError: there is no such run or unit, or two pictures would be in one place.

    Example:
        >>> figure("outputs/compare_recipes/2026-11-24_10-00-00", "0-4", output="figure.pdf")  # doctest: +SKIP
        PaperFigure(5.50 x 7.12 inches)
    """
    one_of("rows", rows, KEYS)
    at_least("photos", photos, 0)
    at_least("width", width, 1)
    pictures, exemplars = _read(runs)
    wanted = parse_units(units)
    keys = list(dict.fromkeys(KEYS[rows](picture) for picture in pictures if _is_wanted(picture, wanted)))
    placed = [[_picture_at(pictures, rows, key, unit) for unit in wanted] for key in keys]
    _check_found(pictures, wanted)
    table = _table(placed, wanted, _labels(rows, keys, labels), values)
    drawn = draw(_with_photos(table, placed, exemplars, photos) if exemplars and photos else table, width)
    if output is not None:
        drawn.save(output)
    return drawn


def parse_units(units: int | str | Sequence[int | str]) -> list[Unit]:
    """Units as they are typed: ``7``, ``"0-3"``, ``"layer3/7"``, or several; each once."""
    several = [units] if isinstance(units, int | str) else list(units)
    found = []
    for each in several:
        match = re.fullmatch(r"(?:(.+)/)?(\d+)(?:-(\d+))?", str(each).strip())
        if not match:
            expected = "5, [0, 3, 9], '0-15', or 'layer3/7'"
            raise FeatvizError(setting="units", got=each, expected=expected)
        layer, first, last = match.groups()
        found += [Unit(layer, number) for number in range(int(first), int(last or first) + 1)]
    if not found:
        raise FeatvizError(setting="units", got=units, expected="one or more")
    return list(dict.fromkeys(found))


def _read(runs: str | Path | Result | Sequence[str | Path | Result]) -> tuple[list[Picture], list[_Exemplar]]:
    """The pictures of all runs, the first of each filter alone, and the patches of those of exemplars."""
    several = [runs] if isinstance(runs, str | Path | Result) else list(runs)
    results = [each for each in several if isinstance(each, Result)]
    named = [each for each in several if not isinstance(each, Result)]
    folders = find_runs(named) if named else []
    made = [folder for folder in folders if (folder / "results.csv").is_file()]
    pictures, exemplars = list[Picture](), list[_Exemplar]()
    for folder, name in zip(made, _run_names(made), strict=True):
        load = partial(load_tile, folder, largest=WIDEST_TILE)
        pictures += [Picture(name, row, partial(load, row)) for row in read_rows(folder)]
    for at, each in enumerate(results):
        cells = zip(each.rows, each.cells(), strict=True)
        pictures += [Picture(f"result {at}", row, partial(_tile_of, cell)) for row, cell in cells]
    for folder in folders:
        if (folder / "exemplars.csv").is_file():
            exemplars += [_Exemplar(folder, row) for row in read_exemplars(folder)]
    if not pictures:
        raise FeatvizError(setting="runs", got=[str(each) for each in several], expected="a run with pictures")
    return [picture for picture in pictures if not picture.row["variant"]], exemplars


def _run_names(folders: Sequence[Path]) -> list[str]:
    """What runs are called: their folders' names; those of a sweep's jobs without number and with room to wrap."""
    short = [re.sub(r"^\d+_(?=.)", "", folder.name).replace(",", ", ") for folder in folders]
    return short if len(set(short)) == len(short) else distinct_names(folders)


def _tile_of(cell: Cell) -> Tile:
    return cell.tile


def _is_wanted(picture: Picture, units: Sequence[Unit]) -> bool:
    return any(_is_of(picture, unit) for unit in units)


def _is_of(picture: Picture, unit: Unit) -> bool:
    return picture.row["filter"] == unit.number and unit.layer in (None, picture.row["layer"], picture.row["module"])


def _check_found(pictures: Sequence[Picture], units: Sequence[Unit]) -> None:
    """Refuse a unit that no run has a picture of."""
    for unit in units:
        if not any(_is_of(picture, unit) for picture in pictures):
            known = dict.fromkeys(f"{picture.row['layer']}/{picture.row['filter']}" for picture in pictures)
            name = f"{unit.layer or pictures[0].row['layer']}/{unit.number}"
            what = f"none of the runs has a picture of filter {unit.number}" + (
                f" of {unit.layer}" if unit.layer else ""
            )
            raise FeatvizError(what, setting="units", got=name, known=known)


def _picture_at(pictures: Sequence[Picture], rows: str, key: str, unit: Unit) -> Picture | None:
    """The picture of a row and a unit; None where there is none."""
    found = [picture for picture in pictures if KEYS[rows](picture) == key and _is_of(picture, unit)]
    if len(found) < 2:
        return found[0] if found else None
    apart = [name for name, of in KEYS.items() if len({of(picture) for picture in found}) == len(found)]
    if len({picture.row["layer"] for picture in found}) > 1 and not unit.layer:
        apart.append(f"units of one layer, such as '{found[0].row['layer']}/{unit.number}'")
    what = f"{len(found)} pictures of filter {unit.number} would be in the row of {key}"
    raise FeatvizError(what, setting="rows", got=rows, expected=" or ".join(apart) or "fewer runs")


def _labels(rows: str, keys: Sequence[str], labels: Sequence[str] | Mapping[str, str] | None) -> list[str]:
    """A label for each row: the one that is given, or what the row is of; of checkpoints the files' names."""
    names = [Path(key).name for key in keys] if rows == "checkpoint" else list(keys)
    own = names if len(set(names)) == len(names) else list(keys)
    if labels is None:
        return own if len(keys) > 1 else [""] * len(keys)
    if isinstance(labels, Mapping):
        for key in labels:
            one_of("labels", key, keys)
        return [str(labels.get(key, name)) for key, name in zip(keys, own, strict=True)]
    if isinstance(labels, str) or len(labels) != len(keys):
        raise FeatvizError(setting="labels", got=labels, expected=f"{len(keys)} of them, for {', '.join(keys)}")
    return [str(label) for label in labels]


def _table(
    placed: Sequence[Sequence[Picture | None]], units: Sequence[Unit], labels: Sequence[str], values: bool
) -> Table:
    cells = [[_cell(picture, values) for picture in row] for row in placed]
    columns = [_column(unit, [row[at] for row in placed]) for at, unit in enumerate(units)]
    return Table(cells, labels, columns)


def _cell(picture: Picture | None, values: bool) -> Cell:
    if picture is None:
        return Cell(None)
    status, weak = picture.row["status"], is_weak(picture.row)
    words = [three_digits(picture.row["activation"])] if values and status == "ok" else []
    words += ["weak"] if weak and status == "ok" else []
    return Cell(picture.load() if status == "ok" else status, ", ".join(words))


def _column(unit: Unit, pictures: Sequence[Picture | None]) -> str:
    """A unit's name: its class, where all rows have the same, or its number, with the layer that it was asked with."""
    classes = {picture.row.get("class", "") for picture in pictures if picture}
    name = next(iter(classes)) if len(classes) == 1 and "" not in classes else f"filter {unit.number}"
    return f"{unit.layer} {name}" if unit.layer else name


class _Exemplar(NamedTuple):
    """A patch of a run of exemplars."""

    folder: Path
    row: ExemplarRow


def _with_photos(
    table: Table, placed: Sequence[Sequence[Picture | None]], exemplars: Sequence[_Exemplar], count: int
) -> Table:
    """The table with photos: in a last row where all rows of a unit have the same ones, else beside each picture."""
    found = [[_photos_of(picture, exemplars, count) for picture in row] for row in placed]
    shared = [dict.fromkeys(row[at] for row in found if row[at]) for at in range(len(table.column_labels))]
    if not any(shared):
        return table
    if all(len(each) < 2 for each in shared):
        last = [_mosaic(next(iter(each), ())) for each in shared]
        name = PHOTOS if len(placed) > 1 or not table.row_labels[0] else f"{table.row_labels[0]}, {PHOTOS}"
        return Table([*table.cells, last], [*table.row_labels, name], table.column_labels)
    cells = [
        [each for cell, photos in zip(row, of_row, strict=True) for each in (cell, _mosaic(photos))]
        for row, of_row in zip(table.cells, found, strict=True)
    ]
    return Table(cells, table.row_labels, [name for label in table.column_labels for name in (label, PHOTOS)])


def _photos_of(picture: Picture | None, exemplars: Sequence[_Exemplar], count: int) -> tuple[_Exemplar, ...]:
    """The strongest patches of the unit that a picture is of, of the same weights."""
    if picture is None:
        return ()
    names = ("model", "weights", "module", "filter")
    wanted = [picture.row[name] for name in ("model", "weights", "module", "filter")]
    own = [each for each in exemplars if [getattr(each.row, name) for name in names] == wanted]
    return tuple(sorted(own, key=lambda each: each.row.rank)[:count])


def _mosaic(exemplars: Sequence[_Exemplar]) -> Cell:
    """Patches in a square."""
    if not exemplars:
        return Cell(None)
    across = ceil(sqrt(len(exemplars)))
    gap = WIDEST_TILE // 60 if across > 1 else 0
    side = (WIDEST_TILE - gap * (across - 1)) // across
    square = Image.new("RGB", (across * (side + gap) - gap,) * 2, "white")
    for at, (folder, row) in enumerate(exemplars):
        y, x = (place * (side + gap) for place in divmod(at, across))
        try:
            with opened_png(inside(folder, row.patch)) as patch:
                tile = squared(patch, side)
                square.paste(tile, (x + (side - tile.width) // 2, y + (side - tile.height) // 2))
        except OSError:
            return Cell("missing")
    return Cell(square, is_photo=True)
