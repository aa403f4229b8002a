"""The task that goes from a photo to the filters behind it, and to their pictures."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from hydra.core.hydra_config import HydraConfig
from lightning.pytorch.loggers import Logger
from omegaconf import DictConfig, open_dict
from torch import Tensor

from featviz.config.build import build_model
from featviz.config.selection import layer_names
from featviz.models.model import Model
from featviz.models.tracing import trace
from featviz.photos.activations import FeatureMapActivator
from featviz.results.display import COLORS
from featviz.results.folder import RunFolder
from featviz.results.html import html_grid
from featviz.results.result import Result
from featviz.results.rows import Row
from featviz.results.sheets import Cell
from featviz.tasks.photo_folder import configured_photos
from featviz.tasks.photo_report import PhotoReport, photo_reports, write_tables
from featviz.tasks.photo_sheets import write_sheets
from featviz.tasks.visualize import visualize

log = logging.getLogger(__name__)


@dataclass(repr=False)
class TopFilters:
    """The strongest filters of photos, and what a run has made of them: their pictures with their rows."""

    photos: list[PhotoReport]
    result: Result = field(default_factory=lambda: Result(Tensor()))

    def __repr__(self) -> str:
        """The photos, and the pictures that were made."""
        return f"TopFilters({', '.join(photo.name for photo in self.photos)}; {self.result!r})"

    def _repr_html_(self) -> str:
        """Each photo with the pictures of its strongest filters, which a notebook shows."""
        cells = dict(zip(map(_place, self.result.rows), self.result.cells(), strict=True))
        return "".join(
            html_grid([Cell(COLORS.image(photo.picture), photo.name), *_found(cells, layer, numbers)], layer)
            for photo in self.photos
            for layer, numbers in photo.ranked.items()
        )


def _place(row: Row) -> tuple[str, int]:
    return row["layer"], row["filter"]


def _found(cells: Mapping[tuple[str, int], Cell], layer: str, numbers: Sequence[int]) -> list[Cell]:
    """The pictures of filters, as far as there are any."""
    return [cells[layer, number] for number in numbers if (layer, number) in cells]


def run(cfg: DictConfig) -> None:
    """Find the filters, make their pictures, and write tables, plots and sheets into the run's folder."""
    folder = RunFolder(HydraConfig.get().runtime.output_dir)
    top_filters(cfg, folder)
    log.info("%s: sheet_*.png, top_filters.csv", folder.path)


def top_filters(cfg: DictConfig, folder: RunFolder | None = None, model: Model | None = None) -> TopFilters:
    """Find the ``cfg.top`` strongest filters of each layer for each photo, and make their pictures."""
    paths = list(dict.fromkeys(configured_photos(cfg.photo, whole=True)))
    model = model or build_model(cfg)
    layers = layer_names(cfg)
    activator = FeatureMapActivator(model, layers, trace(model))
    reports = photo_reports(paths, activator, cfg)
    if folder:
        write_tables(folder.path, reports, activator)

    def at_end(loggers: list[Logger], rows: list[Row]) -> None:
        if folder:
            write_sheets(folder, reports, activator, cfg.by, rows, loggers)

    return TopFilters(reports, visualize(_of_their_filters(cfg, reports, layers), folder, model, at_end))


def _of_their_filters(cfg: DictConfig, reports: Sequence[PhotoReport], layers: Sequence[str]) -> DictConfig:
    """The configuration of a run that makes the pictures of all filters that were found."""
    filters = {layer: sorted({number for report in reports for number in report.ranked[layer]}) for layer in layers}
    other = cfg.copy()
    with open_dict(other):
        other.filters = filters
        other.photo = [str(report.path.resolve()) for report in reports]
    return other
