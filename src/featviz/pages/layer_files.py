"""The files of one layer: its pictures with their thumbnails, and the details of its units."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from featviz.pages.details import unit_data
from featviz.pages.encoding import data_script, digest, to_json
from featviz.pages.exemplars import (
    ShownExemplar,
    exemplar_data,
    exemplar_sprites,
    exemplars_of,
    patch_columns,
    silent_units,
)
from featviz.pages.pictures import Shown, columns_of, frames_of, picture_sprites, pictures_of
from featviz.pages.site_folder import SiteFolder
from featviz.pages.sources import Source
from featviz.pages.sprites import Sprites

PER_DETAILS = 64  # units whose details are in the same file


@dataclass(frozen=True)
class LayerSummary:
    """What has been written of a layer: the name of its file, and how many units have something to show."""

    file: str
    units: int
    with_pictures: int
    with_exemplars: int
    dead: int
    metrics: tuple[str, ...]


def write_layer(
    folder: SiteFolder, name: str, module: str, sources: Sequence[Source], layers: Mapping[str, str]
) -> LayerSummary | None:
    """Write a layer's files under names that begin with ``name``; None where no run has anything of it.

    ``sources`` are the runs of its network, ``layers`` the ids of that network's layers by module.
    """
    pictures, exemplars = pictures_of(sources, module), exemplars_of(sources, module)
    if not pictures and not exemplars:
        return None
    shown = picture_sprites(pictures, folder.sprite_writer(name))
    patches = exemplar_sprites(exemplars, folder.sprite_writer(f"{name}_e"))
    units = sorted({one.picture.record.filter for one in pictures} | {one.record.filter for one in exemplars})
    details = _details(module, units, sources, layers, exemplars, patches)
    frames = frames_of(pictures)
    details = [(unit, detail | ({"frames": frames[unit]} if unit in frames else {})) for unit, detail in details]
    columns = columns_of(pictures, shown)
    data = {
        "units": units,
        "classes": _classes(units, pictures),
        "speaks_for": _spoken_for(details),
        "sprites": shown.described(),
        "pictures": columns,
        "exemplar_sprites": patch_columns(exemplars, patches),
        "silent": silent_units(sources, module),
        "per_details": PER_DETAILS,
    }
    file = _write(folder, name, data, [details[at : at + PER_DETAILS] for at in range(0, len(units), PER_DETAILS)])
    return LayerSummary(
        file=file,
        units=len(units),
        with_pictures=len(set(columns["unit"])),
        with_exemplars=len({one.record.filter for one in exemplars}),
        dead=len(_dead(columns)),
        metrics=tuple(columns["metrics"]),
    )


def _details(
    module: str,
    units: Sequence[int],
    sources: Sequence[Source],
    layers: Mapping[str, str],
    exemplars: Sequence[ShownExemplar],
    patches: Sprites,
) -> list[tuple[int, dict[str, Any]]]:
    pairs = groupby(zip(exemplars, patches.places, strict=True), key=lambda pair: pair[0].record.filter)
    of_units = {number: [exemplar_data(*pair) for pair in some] for number, some in pairs}
    return [
        (
            number,
            ({"exemplars": of_units[number]} if number in of_units else {})
            | unit_data(sources, (module, number), layers),
        )
        for number in units
    ]


def _classes(units: Sequence[int], pictures: Sequence[Shown]) -> list[str] | None:
    """The names of the classes that units are; None where they are none."""
    names = {one.picture.record.filter: one.picture.class_name for one in pictures}
    return [names.get(number, "") for number in units] if any(names.values()) else None


def _spoken_for(details: Sequence[tuple[int, Mapping[str, Any]]]) -> list[str] | None:
    """The class that each unit most speaks for, so that a search by its name finds the unit."""
    first = [classes[0]["name"] if (classes := detail.get("speaks_for")) else "" for _, detail in details]
    return first if any(first) else None


def _dead(columns: Mapping[str, Any]) -> set[int]:
    """The units without a picture that is alive."""
    by_status: dict[str, set[int]] = {}
    for unit, status in zip(columns["unit"], columns["status"], strict=True):
        by_status.setdefault(status, set()).add(unit)
    return by_status.get("dead", set()) - by_status.get("ok", set())


def _write(
    folder: SiteFolder, name: str, data: Mapping[str, Any], parts: Sequence[Sequence[tuple[int, Mapping[str, Any]]]]
) -> str:
    """Write the layer and its parts of details; returns the name of the layer's file, which ends in a checksum."""
    layer = to_json(data)
    details = [to_json({str(number): detail for number, detail in part}) for part in parts]
    file = f"{name}_{digest(''.join([layer, *details]).encode())}"
    folder.write_data(file, data_script(file, layer))
    for at, part in enumerate(details):
        folder.write_data(f"{file}_d{at}", data_script(f"{file}_d{at}", part))
    return file
