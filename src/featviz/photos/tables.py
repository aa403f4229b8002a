"""The files of task=exemplars: tables, patches, photos and sheets, and how they are read again."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import nn

from featviz.errors import FeatvizError, one_line
from featviz.models.model import Model
from featviz.photos.exemplars import PERCENTILES, ActivationStatistics, Exemplar, Exemplars
from featviz.photos.files import read_photo
from featviz.results.files import file_name, png, write_file, write_table
from featviz.results.sheets import LARGEST, Cell, table_sheet

LARGEST_PHOTO = 512  # px, of the photos that are saved whole
PER_SHEET = 24  # filters

BOX = ("left", "top", "right", "bottom")
EXEMPLARS = (
    *("model", "weights", "layer", "module", "filter", "rank", "by", "mean", "max", "row", "column"),
    *("photo", *BOX, "patch", "image"),
)
STATISTICS = (
    *("model", "weights", "network", "layer", "module", "filter", "figure", "photos", "mean", "std"),
    *(f"p{percent}" for percent in PERCENTILES),
)
SKIPPED = ("photo", "reason")


@dataclass(frozen=True)
class Origin:
    """Which network the exemplars are of: ``network`` is a checksum of its weights, ``modules`` {layer: module}."""

    model: str
    weights: str
    network: str
    modules: Mapping[str, str]

    @classmethod
    def of(cls, model: Model, modules: Mapping[str, str]) -> Origin:
        """That of a model."""
        return cls(model.name, model.weights, checksum(model.network), modules)


def checksum(network: nn.Module) -> str:
    """Sixteen digits that differ for other weights."""
    digest = hashlib.blake2b(digest_size=8)
    for name, value in network.state_dict().items():
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()


def write_tables(folder: Path, found: Exemplars, origin: Origin, by: str) -> list[dict[str, Any]]:
    """Write the three tables; return the rows of ``exemplars.csv``."""
    rows = _exemplar_rows(found.strongest, origin, by)
    write_table(folder / "exemplars.csv", EXEMPLARS, rows)
    write_table(folder / "statistics.csv", STATISTICS, [_statistics(spread, origin) for spread in found.statistics])
    if found.skipped:
        skipped = [dict(zip(SKIPPED, (str(file), why), strict=True)) for file, why in found.skipped.items()]
        write_table(folder / "skipped.csv", SKIPPED, skipped)
    return rows


def _exemplar_rows(strongest: Sequence[Exemplar], origin: Origin, by: str) -> list[dict[str, Any]]:
    images = {photo: f"photos/{at:06d}.jpg" for at, photo in enumerate(sorted({one.photo for one in strongest}))}
    digits = max(2, len(str(max(one.rank for one in strongest))))
    rows = []
    for one in strongest:
        patch = f"patches/{file_name(one.layer)}/{one.filter:04d}_{one.rank:0{digits}d}.png"
        whole = (origin.model, origin.weights, one.layer, origin.modules[one.layer], one.filter, one.rank, by)
        place = (one.mean, one.max, one.row, one.column, str(one.photo), *one.box)
        rows.append(dict(zip(EXEMPLARS, (*whole, *place, patch, images[one.photo]), strict=True)))
    return rows


def _statistics(one: ActivationStatistics, origin: Origin) -> dict[str, Any]:
    whole = (origin.model, origin.weights, origin.network, one.layer, origin.modules[one.layer], one.filter)
    values = (*whole, one.figure, one.photos, one.mean, one.std, *one.percentiles)
    return dict(zip(STATISTICS, values, strict=True))


def by_photo(rows: Sequence[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """The rows of one photo after the other's, so that each has to be read once."""
    ordered = sorted(rows, key=lambda row: str(row["photo"]))
    return [list(group) for _, group in groupby(ordered, key=lambda row: str(row["photo"]))]


def write_patches(folder: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write one photo and the patches that are cut from it: ``rows`` are those of this photo.

    Raises:
        FeatvizError: the photo cannot be read any more.
    """
    photo = read_photo(rows[0]["photo"])
    for row in rows:
        patch = photo.crop(tuple(row[side] for side in BOX))
        write_file(folder / row["patch"], png(_at_most(patch, LARGEST)))
    content = io.BytesIO()
    _at_most(photo, LARGEST_PHOTO).save(content, "JPEG", quality=90)
    write_file(folder / rows[0]["image"], content.getvalue())


def _at_most(image: Image.Image, side: int) -> Image.Image:
    shrunk = image.copy()
    shrunk.thumbnail((side, side), Image.Resampling.LANCZOS)  # which never enlarges
    return shrunk


def write_sheets(
    folder: Path, stem: str, lines: Sequence[tuple[str, list[Cell]]], columns: Sequence[str], title: str
) -> dict[str, Image.Image]:
    """Write labelled lines of cells as ``<stem>.png``, or ``<stem>_01.png`` and so on where they are many."""
    pages = [lines[at : at + PER_SHEET] for at in range(0, len(lines), PER_SHEET)]
    digits = max(2, len(str(len(pages))))
    names = [f"{stem}_{number:0{digits}d}" if len(pages) > 1 else stem for number in range(1, len(pages) + 1)]
    sheets = {}
    for name, page in zip(names, pages, strict=True):
        sheets[name] = table_sheet([cells for _, cells in page], [label for label, _ in page], columns, title)
        write_file(folder / f"{name}.png", png(sheets[name]))
    return sheets


def describe_statistics(subject: str, mean: float, std: float, percentiles: Sequence[float]) -> str:
    """A filter and its figures over all photos, for the left margin of a sheet."""
    if percentiles[0] == percentiles[-1]:
        return f"{subject}\n{mean:.3g} for all photos"
    return f"{subject}\nphotos: {mean:.3g} ± {std:.3g}\nat most {percentiles[-1]:.3g}"


def patch_cell(folder: Path, row: Mapping[str, Any]) -> Cell:
    """A patch and its figure."""
    label = f"{float(row[row['by']]):.3g}"
    try:
        with Image.open(folder / row["patch"]) as image:
            return Cell(image.convert("RGB"), label)
    except OSError:
        return Cell("missing", label)


def read_table(path: Path, columns: Iterable[str]) -> list[dict[str, str]]:
    """Read one of the tables; FeatvizError where it is not there, or lacks columns."""
    if not path.parent.is_dir():
        raise FeatvizError(f"there is no folder '{path.parent}'")
    try:
        with path.open(newline="", encoding="utf-8") as opened:
            rows = list(csv.DictReader(opened))
    except FileNotFoundError as error:
        raise FeatvizError(f"{path.parent} is no folder of task=exemplars: it has no {path.name}") from error
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise FeatvizError(f"cannot read {path}: {one_line(error)}") from error
    if missing := [name for name in columns if not rows or rows[0].get(name) is None]:
        raise FeatvizError(f"{path} is no table of task=exemplars: it has no {missing[0]}")
    return rows
