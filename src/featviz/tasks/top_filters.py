"""The task that goes from a photo to the filters behind it, and to their pictures."""

from __future__ import annotations

import logging
from collections.abc import Sequence
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
from featviz.results.folder import RunFolder
from featviz.results.rows import Row
from featviz.tasks.photo_folder import configured_photos
from featviz.tasks.photo_report import PhotoReport, photo_reports, write_tables
from featviz.tasks.photo_sheets import write_sheets
from featviz.tasks.visualize import Result, visualize

log = logging.getLogger(__name__)


@dataclass
class TopFilters:
    """The strongest filters of photos, and what a run has made of them: their pictures with their rows."""

    photos: list[PhotoReport]
    result: Result = field(default_factory=lambda: Result(Tensor()))


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
