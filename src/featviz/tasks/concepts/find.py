"""Concepts of layers in photos: one pass that keeps activations, and what the method makes of them."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from omegaconf import DictConfig

from featviz.errors import FeatvizError
from featviz.metrics.concept_importance import Importance
from featviz.models.backbone import Backbone
from featviz.models.dictionaries import Dictionary
from featviz.models.layers import Trace
from featviz.models.model import Model
from featviz.photos.concepts.positions import Positions, PositionSample, Rows, collect_positions
from featviz.photos.concepts.quality import Quality, in_order, quality_of
from featviz.photos.stream import PhotoStream
from featviz.runs.build import speed_of
from featviz.tasks.concepts.methods import METHODS
from featviz.tasks.photo_folder import progress_bar, watched

log = logging.getLogger(__name__)

BATCH = 32  # photos shown to the network at the same time


@dataclass(frozen=True)
class Found:
    """Concepts of a ``layer``, found in photos of a class or, where ``photos_of`` is empty, in all; see ``Quality``.

    ``importance`` is theirs for the class.
    """

    layer: str
    photos_of: str
    photos: int
    positions: int
    dictionary: Dictionary
    quality: Quality
    seconds: float
    importance: Importance | None = None

    @property
    def name(self) -> str:
        """The layer's, with that of the class: ``layer3 goldfish``."""
        return " ".join(filter(None, (self.layer, self.photos_of)))


def find_concepts(
    cfg: DictConfig, traced: Trace, collected: Positions, device: torch.device, photos_of: str = ""
) -> list[Found]:
    """The concepts of each layer whose activations have been collected.

    Raises:
        FeatvizError: there are fewer activations than concepts.
    """
    found = []
    for layer, rows in collected.rows.items():
        _check_count(layer, rows, cfg.concepts)
        log.info("%s: %d concepts by %s of %d positions", layer, cfg.concepts, cfg.by, len(rows))
        start = time.monotonic()
        dictionary = METHODS[cfg.by](rows, cfg, device)
        seconds = time.monotonic() - start
        dictionary, quality = in_order(dictionary, quality_of(dictionary, rows))
        dictionary = replace(dictionary, source=traced.source(layer))
        found.append(Found(layer, photos_of, collected.photos, len(rows), dictionary, quality, seconds))
    return found


def _check_count(layer: str, rows: Rows, concepts: int) -> None:
    if len(rows) < concepts:
        what = f"the photos have {len(rows)} positions of {layer} for {concepts} concepts"
        raise FeatvizError(what, setting="concepts", got=concepts, expected=f"at most {len(rows)}, or more photos")


def collect(
    cfg: DictConfig, model: Model, traced: Trace, layers: Sequence[str], files: Sequence[Path], device: torch.device
) -> Positions:
    """The activations of layers at positions of photos, as many as the configuration keeps."""
    backbone = Backbone(model, layers, traced, speed_of(cfg))
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
