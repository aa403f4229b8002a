"""Concepts per class, as in CRAFT (Fel et al. 2023): the photos of each, and what concepts matter for it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from omegaconf import DictConfig

from featviz.errors import FeatvizError
from featviz.filters import LOGITS, parse_filters
from featviz.metrics.concept_importance import ConceptImportance
from featviz.metrics.relations.segment import Segment
from featviz.metrics.relations.sources import Sources
from featviz.models.backbone import Backbone
from featviz.models.layers import Trace
from featviz.models.model import Model
from featviz.photos.concepts.class_photos import photos_of_classes
from featviz.photos.files import load_photo
from featviz.photos.stream import PhotoStream, evenly_spaced
from featviz.runs.build import speed_of
from featviz.tasks.concepts.find import BATCH, Found
from featviz.tasks.photo_folder import progress_bar, tracked, watched

log = logging.getLogger(__name__)

MOST_PHOTOS = 32  # of a class, over which the importance of its concepts is measured


def classes_of(cfg: DictConfig, traced: Trace, model: Model) -> dict[int, str]:
    """The classes that are asked for, names by number; none where all photos count.

    Raises:
        FeatvizError: the network has no such class, or not all that it says of classes goes through the layers.
    """
    if cfg.classes is None:
        return {}
    asked = [cfg.classes] if isinstance(cfg.classes, str) else list(cfg.classes)
    count = traced.resolve(LOGITS).channels or 0
    names = model.classes if len(model.classes) == count else ()
    for one in asked:
        if str(one).isdecimal() and int(one) >= count:
            raise FeatvizError(setting="classes", got=one, expected=f"numbers up to {count - 1}, or names")
    try:
        numbers = parse_filters(asked, LOGITS, count, cfg.seed, names)
    except FeatvizError as error:
        error.setting = "classes"
        raise
    return {number: names[number] if names else f"class {number}" for number in numbers}


def check_ways(layers: Sequence[str], traced: Trace, model: Model) -> None:
    """Raise FeatvizError for a layer that classes do not depend on alone: what is taken away there may come round."""
    sources, logits = Sources(model, traced), traced.resolve(LOGITS)
    for layer in layers:
        if not sources.leads_to(traced.resolve(layer), logits):
            what = f"not all of what the network says of classes goes through layer '{layer}'"
            raise FeatvizError(
                what, setting="layer", got=layer, expected="a stage, or another layer that it goes through"
            )


def files_of_classes(
    cfg: DictConfig, model: Model, traced: Trace, files: Sequence[Path], classes: dict[int, str], device: torch.device
) -> dict[int, list[Path]]:
    """The photos that show each class, to the network."""
    backbone = Backbone(model, [LOGITS], traced, speed_of(cfg))
    stream = PhotoStream(files, model.size, model.in_channels, BATCH)
    backbone.to(device)
    try:
        with progress_bar("classes of photos", len(files)) as update:
            found = photos_of_classes(backbone, stream, watched(stream, update), classes)
    finally:
        backbone.cpu().close()
    for number, of_class in found.items():
        log.info("%s: %d photos", classes[number], len(of_class))
    return found


def with_importance(
    found: Found, number: int, model: Model, traced: Trace, files: Sequence[Path], device: torch.device
) -> Found:
    """Concepts with what each means for the class that they were found in."""
    segment = Segment(model, traced, traced.resolve(found.layer), traced.resolve(LOGITS), device)
    chosen = evenly_spaced(files, MOST_PHOTOS)
    photos = [load_photo(file, model.size, model.in_channels) for file in tracked(chosen, f"importance, {found.name}")]
    return replace(found, importance=ConceptImportance(segment, found.dictionary).of_class(number, photos))
