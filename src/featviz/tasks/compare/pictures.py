"""The pictures of the units that have changed most, of each network, side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import isfinite, nan
from pathlib import Path

import torch
from omegaconf import DictConfig, open_dict
from torch import Tensor

from featviz.config.python_values import filters_setting
from featviz.config.report import without_pages
from featviz.metrics.matching import NEW, SILENT
from featviz.results import sheets
from featviz.results.display import COLORS, Display
from featviz.results.files import file_name, png, write_file
from featviz.results.folder import RunFolder
from featviz.results.rows import layer_name, three_digits
from featviz.tasks.compare.networks import Compared
from featviz.tasks.compare.rows import MatchRow
from featviz.tasks.visualize import visualize


@dataclass(frozen=True)
class Pictures:
    """Pictures (C, H, W) of a network by layer as asked for, and unit; ``display`` makes images of them."""

    of_units: Mapping[tuple[str, int], Tensor]
    display: Display = COLORS


@dataclass(frozen=True)
class Pair:
    """The first network and another: the lines of their units that are shown."""

    first: Compared
    other: Compared
    rows: tuple[MatchRow, ...]


def most_changed(rows: Sequence[MatchRow], count: int) -> list[MatchRow]:
    """Of each layer, the ``count`` units of the first network that have changed most, and as many new ones."""
    chosen = list[MatchRow]()
    for layer in dict.fromkeys(row.layer for row in rows):
        of_layer = [row for row in rows if row.layer == layer and row.status != SILENT]
        chosen += sorted((row for row in of_layer if row.filter >= 0 and row.status != NEW), key=_likeness)[:count]
        chosen += sorted((row for row in of_layer if row.status == NEW), key=_likeness)[:count]
    return chosen


def _likeness(row: MatchRow) -> float:
    return row.correlation if isfinite(row.correlation) else -1.0


def make_pictures(cfg: DictConfig, folder: Path, network: Compared, units: Mapping[str, Sequence[int]]) -> Pictures:
    """Make pictures of a network's units {layer: filters} in a run folder of its own; those that are there stay."""
    wanted = {layer: sorted(set(numbers)) for layer, numbers in units.items() if numbers}
    if not wanted:
        return Pictures({})
    other = without_pages(cfg)
    with open_dict(other):
        other.layer = list(wanted)
        other.filters = {layer: filters_setting(numbers) for layer, numbers in wanted.items()}
        other.resume = None
    result = visualize(other, RunFolder(folder / network.label), network.model)
    made = {(row["layer"], row["filter"]): image for row, image in zip(result.rows, result.images, strict=True)}
    return Pictures(made, result.display)


def with_pictures(pair: Pair, pictures: Pictures, others: Pictures) -> list[MatchRow]:
    """The lines with how much of its own picture's activation each partner has with the first unit's picture."""
    rows = list(pair.rows)
    for layer, other_layer in zip(pair.first.asked, pair.other.asked, strict=True):
        places = [at for at, row in enumerate(rows) if row.layer == layer and _are_there(row, pictures, others)]
        if not places:
            continue
        theirs = torch.stack([others.of_units[other_layer, rows[at].other_filter] for at in places])
        ours = torch.stack([pictures.of_units[layer, rows[at].filter] for at in places])
        numbers = [rows[at].other_filter for at in places]
        own = _activations(pair.other, other_layer, theirs, numbers)
        kept = torch.where(own > 0, _activations(pair.other, other_layer, ours, numbers) / own, nan)
        for at, share in zip(places, kept.tolist(), strict=True):
            rows[at] = replace(rows[at], picture=share)
    return rows


def _are_there(row: MatchRow, pictures: Pictures, others: Pictures) -> bool:
    return (row.layer, row.filter) in pictures.of_units and (row.other_layer, row.other_filter) in others.of_units


@torch.no_grad()
def _activations(network: Compared, asked: str, pictures: Tensor, numbers: Sequence[int]) -> Tensor:
    """The mean over positions of each picture's own filter."""
    backbone = network.backbone([asked])
    try:
        maps: Tensor = backbone(pictures.nan_to_num(0.5).to(backbone.mean.device))[asked]
    finally:
        backbone.close()
    return maps[torch.arange(len(numbers)), list(numbers)].flatten(1).mean(1).cpu()


def write_sheets(folder: Path, pair: Pair, pictures: Pictures, others: Pictures) -> None:
    """A sheet for each layer: a line for each unit, with its picture and that of its partner."""
    for layer in pair.first.asked:
        rows = [row for row in pair.rows if row.layer == layer]
        if not rows:
            continue
        cells = [
            [_tile(pictures, row.layer, row.filter), _tile(others, row.other_layer, row.other_filter)] for row in rows
        ]
        title = f"{layer_name(layer)}: the units that have changed most"
        sheet = sheets.table_sheet(cells, [_told(row) for row in rows], [pair.first.label, pair.other.label], title)
        write_file(folder / f"changed_{pair.other.label}_{file_name(layer)}.png", png(sheet))


def _tile(pictures: Pictures, layer: str, number: int) -> sheets.Tile:
    picture = pictures.of_units.get((layer, number))
    return None if picture is None else sheets.fit(pictures.display.image(picture.nan_to_num(0.5)))


def _told(row: MatchRow) -> str:
    names = [f"{number}" if number >= 0 else "none" for number in (row.filter, row.other_filter)]
    return f"{' to '.join(names)}: {row.status}, {three_digits(row.correlation)}"
