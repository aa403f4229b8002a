"""The task that finds the real photos that filters answer to most."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from typing import Any

import torch
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, ListConfig, OmegaConf
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from featviz.config.build import build_model
from featviz.errors import FeatvizError
from featviz.models.backbone import Backbone
from featviz.models.filters import parse_filters
from featviz.models.layers import LOGITS, Trace
from featviz.models.model import Model
from featviz.models.receptive_field import receptive_fields
from featviz.models.speed.faster_copy import SpeedOptions
from featviz.models.tracing import trace
from featviz.photos.exemplars import ActivationStatistics, Exemplars, find_exemplars
from featviz.photos.files import find_photos
from featviz.photos.stream import Batch, PhotoStream, spread
from featviz.photos.tables import (
    Origin,
    by_photo,
    describe_statistics,
    patch_cell,
    write_patches,
    write_sheets,
    write_tables,
)
from featviz.results.files import file_name

log = logging.getLogger(__name__)

BATCH = 32  # photos shown to the network at the same time
MOST_NAMED = 20  # of the photos that were skipped


def run(cfg: DictConfig) -> None:
    """Find them, and write tables, patches, photos and sheets into the run's folder."""
    folder = Path(HydraConfig.get().runtime.output_dir)
    found = exemplars(cfg, folder)
    log.info("%s: exemplars.csv, statistics.csv, exemplars_*.png of %d photos", folder, found.statistics[0].photos)


def exemplars(cfg: DictConfig, folder: Path | None = None, model: Model | None = None) -> Exemplars:
    """Find the photos; ``model`` takes the place of ``cfg.model``. Without a folder nothing is written."""
    files = spread(find_photos(list(cfg.data) if isinstance(cfg.data, ListConfig) else str(cfg.data)), cfg.limit)
    model = model or build_model(cfg)
    traced = trace(model)
    layers = list(cfg.layer) if isinstance(cfg.layer, ListConfig) else [str(cfg.layer)]
    origin = Origin.of(model, {layer: traced.resolve(layer).name for layer in layers})
    filters = {layer: _filters(cfg, layer, traced, model) for layer in origin.modules}
    if model.weights == "random":
        log.warning("%s: what its filters answer to says nothing about a trained network", model.label)
    found = _find(cfg, files, Backbone(model, layers, traced, SpeedOptions(cfg.fold, cfg.channels_last)), filters)
    _tell(found, model.size)
    if folder:
        _write(folder, found, origin, cfg.by, model.label)
    return found


def _filters(cfg: DictConfig, layer: str, traced: Trace, model: Model) -> list[int]:
    found = traced.resolve(layer)
    given = cfg.filters[layer] if isinstance(cfg.filters, DictConfig) else cfg.filters  # for each layer its own
    spec: Any = OmegaConf.to_object(given) if isinstance(given, ListConfig) else given
    channels = found.channels or 0
    classes = (model.classes if len(model.classes) == channels else ()) if layer == LOGITS else None
    return parse_filters(spec, found.name, channels, cfg.seed, classes)


def _find(cfg: DictConfig, files: Sequence[Path], backbone: Backbone, filters: Mapping[str, list[int]]) -> Exemplars:
    model = backbone.model
    fields = receptive_fields(model, list(filters), backbone.trace)
    stream = PhotoStream(files, model.size, model.in_channels, BATCH)
    backbone.to(_device(cfg))
    try:
        with _bar("photos", len(files)) as bar:
            return find_exemplars(backbone, filters, stream, _watched(stream, bar), fields, cfg.k, cfg.by)
    finally:
        backbone.cpu().close()


def _device(cfg: DictConfig) -> torch.device:
    """The one that Lightning's trainer would take."""
    accelerator = str(cfg.trainer.get("accelerator", "auto"))
    best = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    return best if best and accelerator in ("auto", "gpu", best.type) else torch.device("cpu")


def _watched(stream: PhotoStream, bar: Progress) -> Iterator[Batch]:
    for batch in stream:
        yield batch
        for task in bar.task_ids:
            bar.update(task, completed=batch.numbers[-1] + 1)


@contextmanager
def _bar(what: str, total: int) -> Iterator[Progress]:
    """A bar where there is a terminal, and nothing else."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        bar.add_task(what, total=total)
        yield bar


def _tell(found: Exemplars, size: int) -> None:
    if found.enlarged:
        log.warning("%d photos are smaller than %d px and were enlarged", found.enlarged, size)
    if found.skipped:
        log.warning("%d photos skipped:", len(found.skipped))
    for reason in list(found.skipped.values())[:MOST_NAMED]:
        log.warning("  %s", reason)
    if len(found.skipped) > MOST_NAMED:
        log.warning("  and %d more (skipped.csv)", len(found.skipped) - MOST_NAMED)


def _write(folder: Path, found: Exemplars, origin: Origin, by: str, label: str) -> None:
    rows = write_tables(folder, found, origin, by)
    groups = by_photo(rows)
    with _bar("patches", len(groups)) as bar:
        for group in groups:
            try:
                write_patches(folder, group)
            except FeatvizError as error:  # a photo that was there a moment ago
                log.warning("no patches of it: %s", error)
            bar.advance(bar.task_ids[0])
    _write_sheets(folder, rows, found.statistics, by, label)


def _write_sheets(
    folder: Path, rows: Sequence[dict[str, Any]], statistics: Sequence[ActivationStatistics], by: str, label: str
) -> None:
    told = {
        (one.layer, one.filter): describe_statistics(f"filter {one.filter}", one.mean, one.std, one.percentiles)
        for one in statistics
        if one.figure == by
    }
    columns = [str(rank) for rank in range(1, max(row["rank"] for row in rows) + 1)]
    for layer, of_layer in groupby(rows, key=lambda row: str(row["layer"])):
        of_filters = groupby(of_layer, key=lambda row: int(row["filter"]))
        lines = [(told[layer, number], [patch_cell(folder, row) for row in some]) for number, some in of_filters]
        title = f"{label}, {layer}: what the strongest of {statistics[0].photos} photos show, by {by}"
        write_sheets(folder, f"exemplars_{file_name(layer)}", lines, columns, title)
