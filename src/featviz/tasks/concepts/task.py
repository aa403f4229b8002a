"""The task that finds concepts: directions that a layer's activations of photos are sums of."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, replace
from pathlib import Path
from shlex import quote

import torch
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from featviz.config.build import build_model
from featviz.config.selection import layer_names
from featviz.errors import FeatvizError
from featviz.models.backbone import Backbone
from featviz.models.dictionaries import Dictionary
from featviz.models.layers import Trace
from featviz.models.model import Model
from featviz.models.speed.faster_copy import SpeedOptions
from featviz.models.tracing import trace
from featviz.photos.concepts.positions import Positions, PositionSample, Rows, collect_positions
from featviz.photos.concepts.quality import Quality, in_order, quality_of
from featviz.photos.stream import PhotoStream, evenly_spaced
from featviz.results.completion import write_checksums
from featviz.runs.build import hardware_of
from featviz.tasks.concepts.methods import METHODS
from featviz.tasks.concepts.tables import ConceptRow, DictionaryRow, concept_rows, dictionary_file, write_dictionaries
from featviz.tasks.photo_folder import configured_photos, log_skipped, progress_bar, watched
from featviz.tasks.same_run import is_finished
from featviz.tasks.used_settings import NETWORK, check_used

log = logging.getLogger(__name__)

BATCH = 32  # photos shown to the network at the same time


@dataclass(frozen=True)
class Concepts:
    """``dictionaries`` {layer: concepts}; a line of ``dictionaries.csv`` for each, and one of ``concepts.csv`` each."""

    dictionaries: dict[str, Dictionary]
    lines: list[DictionaryRow]
    rows: list[ConceptRow]
    skipped: dict[Path, str]


def run(cfg: DictConfig) -> None:
    """Find them, and write dictionaries and tables into the run's folder."""
    own = ("layer", "data", "concepts", "by", "positions", "k", "epochs", "limit", "trainer", "resume")
    check_used(cfg, (*NETWORK, *own))
    folder = Path(HydraConfig.get().runtime.output_dir)
    model = build_model(cfg)
    if is_finished(cfg, folder, model):
        log.info("%s: all there", folder)
        return
    for line in concepts(cfg, folder, model).lines:
        quality = f"R2 {line.r2:.3f}, {line.l0:.1f} at a position, {line.dead} dead"
        log.info("%s: %d concepts by %s: %s", line.layer, line.concepts, line.method, quality)
        log.info(
            "for their pictures: python -m featviz %s filters=0-7", quote(f"layer={line.layer}@{folder / line.file}")
        )


def concepts(cfg: DictConfig, folder: Path | None = None, model: Model | None = None) -> Concepts:
    """Find them; ``model`` takes the place of ``cfg.model``. Without a folder nothing is written."""
    device = hardware_of(cfg.trainer).devices[0]
    files = configured_photos(cfg.data)
    files = evenly_spaced(files, min(cfg.positions, cfg.limit or len(files)))
    model = model or build_model(cfg)
    traced = trace(model)
    layers = layer_names(cfg)
    collected = _collect(cfg, model, traced, layers, files, device)
    log_skipped(collected.skipped, "skipped.csv")
    found = {layer: _found(cfg, layer, traced, rows, device) for layer, rows in collected.rows.items()}
    dictionaries = {layer: each.dictionary for layer, each in found.items()}
    lines = [_line(layer, each, model, collected) for layer, each in found.items()]
    rows = [row for layer, each in found.items() for row in concept_rows(layer, each.dictionary, each.quality)]
    if folder:
        write_dictionaries(folder, dictionaries, lines, rows, collected.skipped)
        write_checksums(folder)
    return Concepts(dictionaries, lines, rows, collected.skipped)


@dataclass(frozen=True)
class _Found:
    dictionary: Dictionary
    quality: Quality
    seconds: float


def _collect(
    cfg: DictConfig, model: Model, traced: Trace, layers: tuple[str, ...], files: list[Path], device: torch.device
) -> Positions:
    backbone = Backbone(model, layers, traced, SpeedOptions(cfg.fold, cfg.channels_last))
    if of_concepts := [name for name, layer in backbone.layers.items() if layer.dictionary]:
        what = f"layer '{of_concepts[0]}' is concepts already"
        raise FeatvizError(what, setting="layer", got=of_concepts[0], expected="a layer of the network")
    modules = {name: layer.name for name, layer in backbone.layers.items()}
    samples = {name: PositionSample(each, len(files), cfg.positions, cfg.seed) for name, each in modules.items()}
    stream = PhotoStream(files, model.size, model.in_channels, BATCH)
    backbone.to(device)
    try:
        with progress_bar("photos", len(files)) as update:
            return collect_positions(backbone, samples, stream, watched(stream, update))
    finally:
        backbone.cpu().close()


def _found(cfg: DictConfig, layer: str, traced: Trace, rows: Rows, device: torch.device) -> _Found:
    if len(rows) < cfg.concepts:
        what = f"the photos have {len(rows)} positions of {layer} for {cfg.concepts} concepts"
        raise FeatvizError(what, setting="concepts", got=cfg.concepts, expected=f"at most {len(rows)}, or more photos")
    log.info("%s: %d concepts by %s of %d positions", layer, cfg.concepts, cfg.by, len(rows))
    start = time.monotonic()
    dictionary = METHODS[cfg.by](rows, cfg, device)
    seconds = time.monotonic() - start
    dictionary, quality = in_order(dictionary, quality_of(dictionary, rows))
    return _Found(replace(dictionary, source=traced.source(layer)), quality, seconds)


def _line(layer: str, found: _Found, model: Model, collected: Positions) -> DictionaryRow:
    dictionary, quality = found.dictionary, found.quality
    assert dictionary.source is not None
    return DictionaryRow(
        model=model.name,
        weights=model.weights,
        network=model.checksum,
        layer=layer,
        module=dictionary.source.module,
        method=dictionary.method,
        concepts=dictionary.concepts,
        photos=collected.photos,
        positions=len(collected.rows[layer]),
        r2=quality.r2,
        l0=quality.l0,
        dead=quality.dead,
        seconds=found.seconds,
        file=dictionary_file(layer, dictionary.method),
    )
