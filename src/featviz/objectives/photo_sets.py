"""Photos that belong to each unit: its strongest ones, those in a folder of its name, or the same for all."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from featviz.errors import FeatvizError
from featviz.models.layers import Layer
from featviz.models.model import Model
from featviz.photos.files import readable_photos
from featviz.photos.tables import read_exemplars
from featviz.reading import expanded, inside

SETTING = "objective.photos"


def photos_of_units(
    source: str | Sequence[str], numbers: Sequence[int], layer: Layer, model: Model, patches: bool = False
) -> list[list[Path]]:
    """The photos of each unit.

    Args:
        source: a folder of a run of task=exemplars, which has each filter's strongest photos; a folder with a folder
            for each unit, by its number or its class's name; or photos, or a folder of them, for all units.
        numbers: of the units.
        layer: which they are of.
        model: whose classes have names.
        patches: of a folder of task=exemplars, the patches instead of whole photos.

    Raises:
        FeatvizError: there are none, or none of a unit.
    """
    folder = expanded(source) if isinstance(source, str) else None
    if folder and (folder / "exemplars.csv").is_file():
        return [_exemplars(folder, number, layer, patches) for number in numbers]
    if folder and folder.is_dir():
        named = {file.name.lower(): file for file in folder.iterdir() if file.is_dir()}
        classes = model.classes if len(model.classes) == layer.channels else ()
        names = [_names(number, classes) for number in numbers]
        own = [next((named[name] for name in each if name in named), None) for each in names]
        if any(own):
            return [_below(folder, found, each) for found, each in zip(own, names, strict=True)]
    photos = readable_photos(source)
    return [photos] * len(numbers)


def _exemplars(folder: Path, number: int, layer: Layer, patches: bool) -> list[Path]:
    rows = [row for row in read_exemplars(folder) if (row.module, row.filter) == (layer.name, number)]
    if not rows:
        what = f"{SETTING}: {folder} has no photos of filter {number} of {layer.name}"
        raise FeatvizError(what, setting=SETTING, got=folder, expected="a folder of this layer and filter")
    rows.sort(key=lambda row: row.rank)
    return [inside(folder, row.patch if patches else row.image) for row in rows]


def _below(folder: Path, own: Path | None, names: Sequence[str]) -> list[Path]:
    if own is None:
        what = f"{SETTING}: {folder} has no folder {' or '.join(names)}"
        raise FeatvizError(what, setting=SETTING, got=folder, expected="a folder for each unit")
    return readable_photos(str(own))


def _names(number: int, classes: Sequence[str]) -> list[str]:
    """What a unit's folder may be called, in lower case."""
    names = [str(number), f"{number:04d}"]
    if classes:
        names += [classes[number].lower(), classes[number].lower().replace(" ", "_")]
    return list(dict.fromkeys(names))
