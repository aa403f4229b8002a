"""The task that finds exemplars, the real photos that filters answer to most."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path

import torch
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from featviz.config.build import build_model
from featviz.config.report import pages_at_end, write_pages
from featviz.config.selection import filter_specs, layer_names
from featviz.errors import FeatvizError
from featviz.filters import LOGITS, parse_filters, spec_of
from featviz.models.backbone import Backbone
from featviz.models.layers import Trace
from featviz.models.model import Model
from featviz.models.receptive_field import receptive_fields
from featviz.models.tracing import trace
from featviz.photos.exemplars import ActivationStatistics, Exemplars
from featviz.photos.patches import describe_statistics, patch_cell, write_patches, write_sheets
from featviz.photos.relation_tables import write_distributions
from featviz.photos.saved_pass import SavedPass
from featviz.photos.search import find_exemplars
from featviz.photos.stream import PhotoStream, evenly_spaced
from featviz.photos.table_rows import ExemplarRow, Origin
from featviz.photos.tables import Tables, write_tables
from featviz.results.completion import begin, write_checksums
from featviz.results.files import file_name
from featviz.results.rows import layer_name, unit_word
from featviz.runs.build import hardware_of, speed_of
from featviz.runs.relations import Units, has_relations, write_all_maps, write_exemplar_relations
from featviz.tasks.photo_folder import configured_photos, log_skipped, progress_bar, tracked, watched
from featviz.tasks.same_run import is_finished

log = logging.getLogger(__name__)

BATCH = 32  # photos shown to the network at the same time


def run(cfg: DictConfig) -> None:
    """Find them, and write tables, patches, photos and sheets into the run's folder."""
    folder = Path(HydraConfig.get().runtime.output_dir)
    model = build_model(cfg)
    if is_finished(cfg, folder, model) and not _lacks_relations(cfg, folder):
        log.info("%s: all there", folder)
        write_pages(cfg.get("report"), folder)  # which may have been killed after all else was there
        return
    photos = exemplars(cfg, folder, model).statistics[0].photos
    log.info("%s: exemplars.csv, statistics.csv, exemplars_*.png of %d photos", folder, photos)


def _lacks_relations(cfg: DictConfig, folder: Path) -> bool:
    """Whether a finished folder has no relations, which take another pass: so it is where they were switched off."""
    if not cfg.relations or has_relations(folder):
        return False
    log.info("%s: relations are missing, which takes the pass once more", folder)
    begin(folder)
    return True


def exemplars(cfg: DictConfig, folder: Path | None = None, model: Model | None = None) -> Exemplars:
    """Find the photos; ``model`` takes the place of ``cfg.model``. Without a folder nothing is written."""
    device, batch_size = _device(cfg), _batch_size(cfg)
    files = evenly_spaced(configured_photos(cfg.data), cfg.limit)
    model = model or build_model(cfg)
    traced = trace(model)
    layers = layer_names(cfg)
    origin = Origin.of(model, {layer: traced.resolve(layer).name for layer in layers})
    filters = {layer: _filters(cfg, layer, traced, model) for layer in origin.modules}
    if model.weights == "random":
        log.warning("%s: what its filters answer to says nothing about a trained network", model.label)
    backbone = Backbone(model, layers, traced, speed_of(cfg))
    stream = PhotoStream(files, model.size, model.in_channels, batch_size)
    saved = _saved_pass(folder, stream, filters, origin, cfg) if folder else None
    result = _find(cfg, stream, backbone, filters, device, saved)
    if result.enlarged:
        log.warning("%d photos are smaller than %s px and were enlarged", result.enlarged, model.shape)
    log_skipped(result.skipped, "skipped.csv")
    if folder and saved:
        with pages_at_end(cfg, folder):
            tables = _write(folder, result, origin, cfg.by)
            if cfg.relations:
                write_distributions(folder, result, origin, cfg.by, tables.images)
                units = Units(model, traced, filters, device)
                write_all_maps(folder, tables.exemplars, result, units)
                write_exemplar_relations(folder, units, result, cfg.by)
            classes = {layer: backbone.class_names(layer) for layer in layers}
            statistics = [one for one in result.statistics if one.figure == cfg.by]
            _write_sheets(folder, tables.exemplars, statistics, model.label, classes)
            saved.remove()
            write_checksums(folder)
    return result


def _saved_pass(
    folder: Path, stream: PhotoStream, filters: Mapping[str, list[int]], origin: Origin, cfg: DictConfig
) -> SavedPass:
    """The state of an unfinished pass; that the folder's run is of the same photos has been asked."""
    identity = {
        "network": origin.network,
        "batch_size": stream.batch_size,
        "photos": len(stream.files),
        "filters": dict(filters),
        "k": cfg.k,
        "by": cfg.by,
        "weakest": True,  # which earlier versions did not keep
        "relations": cfg.relations,
        "references": cfg.references,
    }
    return SavedPass(folder / "checkpoints/photos.ckpt", identity)


def _filters(cfg: DictConfig, layer: str, traced: Trace, model: Model) -> list[int]:
    resolved = traced.resolve(layer)
    spec = spec_of(filter_specs(cfg), layer)
    channels = resolved.channels or 0
    classes = (model.classes if len(model.classes) == channels else ()) if layer == LOGITS else None
    return parse_filters(spec, resolved.name, channels, cfg.seed, classes)


def _find(
    cfg: DictConfig,
    stream: PhotoStream,
    backbone: Backbone,
    filters: Mapping[str, list[int]],
    device: torch.device,
    saved: SavedPass | None,
) -> Exemplars:
    model = backbone.model
    fields = receptive_fields(model, list(filters), backbone.trace)
    backbone.to(device)
    try:
        with progress_bar("photos", len(stream.files)) as update:
            batches, relations = watched(stream, update), bool(saved and cfg.relations)
            references = int(cfg.references) if saved else 0
            return find_exemplars(
                backbone, filters, stream, batches, fields, cfg.k, cfg.by, saved, relations, references
            )
    finally:
        backbone.cpu().close()


def _device(cfg: DictConfig) -> torch.device:
    """The one that Lightning's trainer would take."""
    hardware = hardware_of(cfg.trainer)
    if len(hardware.devices) > 1 or not hardware.precision.startswith("32"):
        raise FeatvizError(
            "task=exemplars computes on one device, in 32-true", setting="trainer", expected="trainer.devices=1"
        )
    return hardware.devices[0]


def _batch_size(cfg: DictConfig) -> int:
    size = BATCH if cfg.batch_size == "auto" else cfg.batch_size
    if not isinstance(size, int) or isinstance(size, bool) or size < 1:
        raise FeatvizError(setting="batch_size", got=size, expected="1 or more, or auto")
    return size


def _write(folder: Path, result: Exemplars, origin: Origin, by: str) -> Tables:
    """Write the tables, the photos and their patches; return what has been written."""
    tables = write_tables(folder, result, result.references, origin, by)
    rows: dict[str, list[ExemplarRow]] = {}
    for row in tables.exemplars:
        rows.setdefault(row.photo, []).append(row)
    for photo, image in tracked(list(tables.images.items()), "photos and patches"):
        try:
            write_patches(folder, photo, image, rows.get(str(photo), []))
        except FeatvizError as error:  # a photo that was there a moment ago
            log.warning("no patches of it: %s", error)
    return tables


def _write_sheets(
    folder: Path,
    rows: Sequence[ExemplarRow],
    statistics: Sequence[ActivationStatistics],
    label: str,
    classes: Mapping[str, Sequence[str]],
) -> None:
    """A sheet for each layer, or several: a line for each filter, its strongest patch first.

    ``classes`` {layer: names} are those of filters that are classes.
    """
    margins = {}
    words = {row.layer: unit_word(row.module) for row in rows}
    for one in statistics:
        names = classes[one.layer]
        subject = f"{names[one.filter]} ({one.filter})" if names else f"{words[one.layer]} {one.filter}"
        margins[one.layer, one.filter] = describe_statistics(subject, one.mean, one.std, one.percentiles)
    photos, by = statistics[0].photos, statistics[0].figure
    columns = [str(rank) for rank in range(1, max(row.rank for row in rows) + 1)]
    for layer, of_layer in groupby(rows, key=lambda row: row.layer):
        of_filters = groupby(of_layer, key=lambda row: row.filter)
        lines = [(margins[layer, number], [patch_cell(folder, row) for row in some]) for number, some in of_filters]
        title = f"{label}, {layer_name(layer)}: what the strongest of {photos} photos show, by {by}"
        write_sheets(folder, f"exemplars_{file_name(layer)}", lines, columns, title)
