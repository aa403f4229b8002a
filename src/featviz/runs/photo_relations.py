"""What exemplars say of a layer's units: what feeds them on these photos, and which classes they speak for."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from torch import Tensor

from featviz.errors import FeatvizError, one_line
from featviz.filters import LOGITS
from featviz.metrics.relations.class_gradients import ClassGradients
from featviz.metrics.relations.gradient_inputs import gradient_inputs
from featviz.metrics.relations.sources import Sources
from featviz.metrics.relations.strongest_inputs import strongest_inputs
from featviz.metrics.relations.unit_photos import UnitPhotos, shared
from featviz.models.layers import Layer
from featviz.photos.exemplars import Exemplars
from featviz.results.relation_rows import InputRow
from featviz.runs.weight_relations import LayerUnits, input_rows

log = logging.getLogger(__name__)

CLASSES = 5
SPEAKS_FOR = ("layer", "module", "filter", "rank", "class", "name", "value")

Line = dict[str, Any]
Found = TypeVar("Found")


@dataclass(frozen=True)
class PhotoRelations:
    """The rows of ``inputs.csv``, and the lines of ``speaks_for.csv``."""

    inputs: list[InputRow]
    speaks_for: list[Line]


def photo_relations(
    units: LayerUnits, sources: Sources, asked: Iterable[Layer], found: Exemplars, by: str
) -> PhotoRelations:
    """Both of a layer's units; what a network's own code fails at is left out, with a line in the log."""
    if units.layer.dictionary:
        log.info("%s: which classes concepts speak for, task=concepts with classes=... tells", units.name)
        return PhotoRelations([], [])
    exemplars = _exemplars_of(units, found)

    def inputs() -> list[InputRow]:
        source = sources.of(units.layer, asked)
        if source is None:  # which has been said where weights are looked at
            return []
        strengths = gradient_inputs(sources.segment(source, units.layer), units.numbers, exemplars, by)
        return input_rows(units, "gradient", source, strengths)

    def classes() -> list[Line]:
        return _speaks_for(units, sources, exemplars)

    return PhotoRelations(
        _or_none(inputs, f"{units.name}: no inputs by gradient"),
        _or_none(classes, f"{units.name}: speaks for no class"),
    )


def _or_none(find: Callable[[], list[Found]], what: str) -> list[Found]:
    try:
        return find()
    except Exception as error:  # of any kind: whatever the network's parts raise
        log.warning("%s: %s", what, one_line(error))
        return []


def _exemplars_of(units: LayerUnits, found: Exemplars) -> list[UnitPhotos]:
    photos: dict[int, list[Path]] = {number: [] for number in units.numbers}
    for one in found.strongest:
        if one.layer == units.name:
            photos[one.filter].append(one.photo)
    return shared(list(photos.values()))


def _speaks_for(units: LayerUnits, sources: Sources, exemplars: Sequence[UnitPhotos]) -> list[Line]:
    try:
        logits = sources.traced.resolve(LOGITS)
    except FeatvizError:
        log.info("%s: speaks for no class, since the network hands out none", units.name)
        return []
    if not sources.leads_to(units.layer, logits):
        log.info("%s: speaks for no class: it is the classes, or beside the way to them", units.name)
        return []
    means = ClassGradients(sources.segment(units.layer, logits)).means(units.numbers, exemplars)
    names = sources.model.classes if len(sources.model.classes) == logits.channels else ()
    return [
        line for number, row in zip(units.numbers, means, strict=True) for line in _lines(units, number, row, names)
    ]


def _lines(units: LayerUnits, number: int, gradients: Tensor, names: Sequence[str]) -> list[Line]:
    exciting = [one for one in strongest_inputs(gradients, CLASSES) if one.sign > 0]
    return [
        {
            "layer": units.name,
            "module": units.layer.name,
            "filter": number,
            "rank": one.rank,
            "class": one.unit,
            "name": names[one.unit] if names else "",
            "value": one.strength,
        }
        for one in exciting
    ]
