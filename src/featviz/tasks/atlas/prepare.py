"""What an atlas is made of, before any picture: one pass over photos, the layout, the cells."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from omegaconf import DictConfig

from featviz.config.selection import layer_names
from featviz.errors import FeatvizError
from featviz.filters import LOGITS
from featviz.models.backbone import Backbone
from featviz.models.layers import Trace
from featviz.models.model import Model
from featviz.models.tracing import trace
from featviz.photos.atlas.cells import find_cells, grids_of
from featviz.photos.atlas.collect import Collected, collect_points
from featviz.photos.atlas.layout import PCA, laid_out, method_of
from featviz.photos.atlas.points import PointCollector, Points
from featviz.photos.atlas.tables import LayerAtlas
from featviz.photos.saved_pass import SavedPass
from featviz.photos.stream import PhotoStream, evenly_spaced
from featviz.photos.table_rows import SkippedRow
from featviz.results.files import write_records
from featviz.runs.build import hardware_of, speed_of
from featviz.tasks.photo_folder import configured_photos, log_skipped, progress_bar, watched

log = logging.getLogger(__name__)

BATCH = 32  # photos shown to the network at the same time

Places = np.ndarray[Any, Any]


def prepare(cfg: DictConfig, folder: Path, model: Model, inputs: Mapping[str, str]) -> list[LayerAtlas]:
    """The atlas of each layer without its pictures; what has been computed in the folder is taken from there.

    ``inputs`` tell the network and the photos, so that what was computed of others is not taken.

    Raises:
        FeatvizError: there is no such layer, no photo that can be used, or there are too few.
    """
    files, options = evenly_spaced(configured_photos(cfg.data), cfg.limit), cfg.atlas
    traced, method = trace(model), method_of(options.layout)
    modules = {layer: traced.resolve(layer).name for layer in layer_names(cfg)}
    grids_of(len(files) * options.per_photo, options.grid, options.levels)  # as many as there can be
    identity = {"inputs": dict(inputs), "photos": len(files), "modules": modules}
    identity |= {"per_photo": options.per_photo, "seed": cfg.seed}
    found, classes = _collect(cfg, model, traced, modules, files, SavedPass(folder / "points.pt", identity))
    _tell(folder, found, model)
    if method == PCA and options.layout == "auto":
        log.info("laid out by PCA, since umap-learn is not installed: pip install 'featviz[atlas]'")
    settings = {"method": method, "neighbors": options.neighbors, "min_dist": options.min_dist}
    places = _all_places(cfg, found.points, method, SavedPass(folder / "layout.pt", identity | settings))
    return [
        _with_cells(options, LayerAtlas(layer, module, found.points[layer], places[layer], method, (), classes))
        for layer, module in modules.items()
    ]


def _collect(
    cfg: DictConfig, model: Model, traced: Trace, modules: Mapping[str, str], files: Sequence[Path], saved: SavedPass
) -> tuple[Collected, tuple[str, ...]]:
    """The points of all layers, and the names of the network's classes."""
    logits = _logits(traced)
    wanted = [*modules, *([logits] if logits and logits not in modules else [])]
    backbone = Backbone(model, wanted, traced, speed_of(cfg))
    stream = PhotoStream(files, model.size, model.in_channels, BATCH)
    collector = PointCollector(modules, cfg.atlas.per_photo, cfg.seed)
    backbone.to(hardware_of(cfg.trainer).devices[0])
    try:
        with progress_bar("photos", len(files)) as update:
            found = collect_points(backbone, collector, logits, stream, watched(stream, update), saved)
    finally:
        backbone.cpu().close()
    return found, backbone.class_names(logits) if logits else ()


def _logits(traced: Trace) -> str | None:
    """The layer whose outputs are the network's classes; None where it has none."""
    try:
        traced.resolve(LOGITS)
    except FeatvizError:
        return None
    return LOGITS


def _tell(folder: Path, found: Collected, model: Model) -> None:
    """Say what could not be used, in a table too."""
    if found.enlarged:
        log.warning("%d photos are smaller than %s px and were enlarged", found.enlarged, model.shape)
    log_skipped(found.skipped, "skipped.csv")
    if found.skipped:
        rows = [SkippedRow(str(file), reason) for file, reason in found.skipped.items()]
        write_records(folder / "skipped.csv", SkippedRow, rows)


def _all_places(cfg: DictConfig, points: Mapping[str, Points], method: str, saved: SavedPass) -> dict[str, Places]:
    """Where the points of each layer lie, (N, 2)."""
    if state := saved.load():
        return {layer: state[layer].numpy() for layer in points}
    places = {}
    for layer, of_layer in points.items():
        log.info("%s: %d activations are laid out by %s", layer, len(of_layer), method)
        places[layer] = laid_out(of_layer.vectors, method, cfg.seed, cfg.atlas.neighbors, cfg.atlas.min_dist)
    saved.write({layer: torch.from_numpy(of_layer) for layer, of_layer in places.items()})
    return places


def _with_cells(options: DictConfig, one: LayerAtlas) -> LayerAtlas:
    """The atlas of a layer with the cells of all its levels; FeatvizError where no cell has enough points."""
    grids = grids_of(len(one.points), options.grid, options.levels)
    if len(grids) < options.levels:
        finer = grids[-1] * 2
        log.info(
            "%s: %d activations are too few for a level of %d x %d cells", one.layer, len(one.points), finer, finer
        )
    cells = find_cells(one.points, one.places, grids, options.min_points)
    if not cells:
        what = f"{one.layer}: no cell has as many as {options.min_points} activations with a direction"
        expected = "a smaller atlas.min_points, or more photos"
        raise FeatvizError(what, setting="atlas.min_points", got=options.min_points, expected=expected)
    return replace(one, cells=cells)
