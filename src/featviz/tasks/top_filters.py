"""The task that goes from a photo to the filters behind it, and to their pictures."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from lightning.pytorch.loggers import Logger
from omegaconf import DictConfig, ListConfig, open_dict
from PIL import Image
from torch import Tensor

from featviz.config.build import build_model
from featviz.models.model import Model
from featviz.models.tracing import trace
from featviz.photos.activations import FeatureMapActivator, PhotoActivations, ReferenceStatistics, figures, strongest
from featviz.photos.files import find_photos, fit_photo, read_photo
from featviz.results.files import file_name, png, to_image, write_file, write_table
from featviz.results.folder import RunFolder, load_tile
from featviz.results.loggers import log_picture
from featviz.results.plots import filter_plot, overlay
from featviz.results.rows import Row, outcome
from featviz.results.sheets import Cell, table_sheet
from featviz.tasks.visualize import Result, visualize

log = logging.getLogger(__name__)

COLUMNS = ("photo", "layer", "module", "filter", "mean", "max", "zscore", "rank")
WORDS = {"mean": "mean activation", "max": "largest activation", "zscore": "standard deviations above the usual"}
SHARED = ("layer", "filter", "photos", "names")


@dataclass
class PhotoReport:
    """A photo as the network sees it, with what it excites: ``ranked`` {layer: the strongest filters}."""

    path: Path
    picture: Tensor
    activated: PhotoActivations
    classes: list[tuple[str, float]]
    values: dict[str, Tensor]
    zscores: dict[str, Tensor]
    ranked: dict[str, list[int]]


@dataclass
class TopFilters:
    """The strongest filters of photos, and their pictures."""

    photos: list[PhotoReport]
    made: Result = field(default_factory=lambda: Result(Tensor()))


def run(cfg: DictConfig) -> None:
    """Find the filters, make their pictures, and write tables, plots and sheets into the run's folder."""
    folder = RunFolder(HydraConfig.get().runtime.output_dir)
    top_filters(cfg, folder)
    log.info("%s: sheet_*.png, top_filters.csv", folder.path)


def top_filters(cfg: DictConfig, folder: RunFolder | None = None, model: Model | None = None) -> TopFilters:
    """Find the ``cfg.top`` strongest filters of each layer for each photo, and make their pictures."""
    paths = find_photos(list(cfg.photo) if isinstance(cfg.photo, ListConfig) else cfg.photo)
    model = model or build_model(cfg)
    layers = list(cfg.layer) if isinstance(cfg.layer, ListConfig) else [str(cfg.layer)]
    activator = FeatureMapActivator(model, layers, trace(model))
    photos = _look_at(paths, activator, cfg)
    if folder:
        _write_tables(folder, photos, activator)
    made = visualize(_of_their_filters(cfg, photos, layers), folder, model, _sheets(photos, activator, cfg, folder))
    return TopFilters(photos, made)


def _look_at(paths: Sequence[Path], activator: FeatureMapActivator, cfg: DictConfig) -> list[PhotoReport]:
    model, usual = activator.model, _usual(activator, cfg)
    photos = []
    for path in paths:
        picture = fit_photo(read_photo(path), model.size, model.in_channels)
        activated = activator(picture)
        values = {layer: figures(activated, layer, cfg.by, usual.get(layer)) for layer in activated.maps}
        zscores = {layer: figures(activated, layer, "zscore", found) for layer, found in usual.items()}
        ranked = {layer: strongest(found, cfg.top) for layer, found in values.items()}
        photos.append(PhotoReport(path, picture, activated, activator.classes(picture), values, zscores, ranked))
    return photos


def _usual(activator: FeatureMapActivator, cfg: DictConfig) -> dict[str, ReferenceStatistics]:
    if cfg.reference is None:
        return {}
    size, channels = activator.model.size, activator.model.in_channels
    return activator.usual(fit_photo(read_photo(path), size, channels) for path in find_photos(cfg.reference))


def _of_their_filters(cfg: DictConfig, photos: Sequence[PhotoReport], layers: Sequence[str]) -> DictConfig:
    """The configuration of a run that makes the pictures of all filters found."""
    found = {layer: sorted({number for photo in photos for number in photo.ranked[layer]}) for layer in layers}
    other = cfg.copy()
    with open_dict(other):
        other.filters = found
        other.photo = [str(photo.path.resolve()) for photo in photos]
    return other


def _write_tables(folder: RunFolder, photos: Sequence[PhotoReport], activator: FeatureMapActivator) -> None:
    rows = [row for photo in photos for row in _figures_of(photo, activator)]
    write_table(folder.path / "top_filters.csv", COLUMNS, rows)
    if len(photos) > 1:
        write_table(folder.path / "shared_filters.csv", SHARED, _shared(photos))


def _shared(photos: Sequence[PhotoReport]) -> list[dict[str, object]]:
    """The filters that are among the strongest of more than one photo, those of the most photos first."""
    names: dict[tuple[str, int], list[str]] = {}
    for photo in photos:
        for layer, numbers in photo.ranked.items():
            for number in numbers:
                names.setdefault((layer, number), []).append(photo.path.name)
    several = sorted((key for key, found in names.items() if len(found) > 1), key=lambda key: (-len(names[key]), key))
    return [dict(zip(SHARED, (*key, len(names[key]), " ".join(names[key])), strict=True)) for key in several]


def _figures_of(photo: PhotoReport, activator: FeatureMapActivator) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for layer, values in photo.values.items():
        means, maxima = photo.activated.means(layer).tolist(), photo.activated.maxima(layer).tolist()
        zscores = photo.zscores[layer].tolist() if photo.zscores else [""] * len(means)
        ranks = {number: rank for rank, number in enumerate(strongest(values, len(values)), 1)}
        module = activator.backbone.layers[layer].name
        for number in range(len(means)):
            found = (number, means[number], maxima[number], zscores[number], ranks[number])
            rows.append(dict(zip(COLUMNS, (photo.path.name, layer, module, *found), strict=True)))
    return rows


def _sheets(
    photos: Sequence[PhotoReport], activator: FeatureMapActivator, cfg: DictConfig, folder: RunFolder | None
) -> Callable[[list[Logger], list[Row]], None]:
    """What is to be done with the finished rows: plots and sheets as files and in TensorBoard."""

    def write(loggers: list[Logger], rows: list[Row]) -> None:
        if folder is None:
            return
        by_filter = {(row["layer"], row["filter"]): row for row in rows}
        for photo, layer in product(photos, activator.backbone.layers):
            title = f"{activator.model.label}, {layer}: {photo.path.name}"
            plot = filter_plot(photo.values[layer].tolist(), photo.ranked[layer], title, WORDS[cfg.by])
            made = [by_filter.get((layer, number)) for number in photo.ranked[layer]]
            drawn = {"plot": Image.open(io.BytesIO(plot)), "sheet": _sheet(photo, layer, title, made, cfg.by, folder)}
            for kind, image in drawn.items():
                name = f"{kind}_{file_name(photo.path.stem)}_{file_name(layer)}"
                write_file(folder.path / f"{name}.png", png(image))
                for logger in loggers:
                    log_picture(logger, f"{kind}/{file_name(photo.path.stem)}/{layer}", image)

    return write


def _sheet(
    photo: PhotoReport, layer: str, title: str, made: Sequence[Row | None], by: str, folder: RunFolder
) -> Image.Image:
    """The photo; for each of its strongest filters where it fires; and the filter's picture below."""
    numbers = photo.ranked[layer]
    maps = photo.activated.maps[layer][numbers]
    largest = maps.max().item()
    seen = photo.picture if len(photo.picture) >= 3 else photo.picture[:1].expand(3, -1, -1)
    values = photo.values[layer].tolist()
    fires = [Cell(overlay(seen, m, largest), f"{by} {values[n]:.3g}") for n, m in zip(numbers, maps, strict=True)]
    pictures = [Cell(None) if row is None else _made(folder, row, seen.shape[2]) for row in made]
    classes = "\n".join(f"{share:.1%} {name}" for name, share in photo.classes)
    rows = [[Cell(to_image(photo.picture), classes), *fires], [Cell(None), *pictures]]
    labels = [f"where it fires (brightest: {largest:.3g})", "its picture"]
    return table_sheet(rows, labels, ["photo", *(f"filter {number}" for number in numbers)], title)


def _made(folder: RunFolder, row: Row, side: int) -> Cell:
    tile = load_tile(folder.path, row)
    if isinstance(tile, Image.Image):
        tile = tile.resize((side, side), Image.Resampling.BICUBIC)  # as large as the photo, which stands above it
    return Cell(tile, outcome(row), row["status"] != "ok")
