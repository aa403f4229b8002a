"""How the units of a run relate, as tables in its folder, for those who read them without the network."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch

from featviz.errors import one_line
from featviz.metrics.relations.sources import Sources
from featviz.models.layers import Layer, Trace
from featviz.models.model import Model
from featviz.objectives import Objective
from featviz.photos.exemplars import Exemplars
from featviz.photos.patches import write_maps
from featviz.photos.table_rows import ExemplarRow
from featviz.results.files import write_records, write_table
from featviz.results.relation_rows import InputRow, NearestRow
from featviz.results.rows import Row
from featviz.runs.network_table import NAME as NETWORK
from featviz.runs.network_table import write_network
from featviz.runs.photo_relations import SPEAKS_FOR, Line, photo_relations
from featviz.runs.plan import Plan
from featviz.runs.weight_relations import LayerUnits, WeightRelations, nearest_rows, weight_relations

log = logging.getLogger(__name__)

NEAREST, INPUTS, CLASSES = "nearest.csv", "inputs.csv", "speaks_for.csv"


@dataclass(frozen=True)
class Units:
    """The units of a network that a run is about.

    ``filters`` are their numbers {layer: numbers}, the layers named as they were asked for; where these do not count
    filters (but directions, say), there are none. On ``device`` is computed what needs the network.
    """

    model: Model
    traced: Trace
    filters: Mapping[str, Sequence[int]]
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    def by_layer(self) -> list[LayerUnits]:
        """The units of each layer that has some."""
        return [LayerUnits(name, self.traced.resolve(name), each) for name, each in self.filters.items() if each]


def units_of_plan(plan: Plan, rows: Sequence[Row]) -> Units:
    """The filters of a run that have a row: of a shard's, those of the shard."""
    there = {(row["layer"], row["filter"]) for row in rows}
    filters = {
        layer.name: [number for number in dict.fromkeys(layer.filters) if (layer.name, number) in there]
        for layer in plan.layers
        if not _has_own_units(plan.method.objective(layer=layer.name, filters=layer.filters[:1]))
    }
    return Units(
        plan.model, plan.traced, {layer.name: filters.get(layer.name, []) for layer in plan.layers}, plan.run.device
    )


def _has_own_units(objective: Objective) -> bool:
    """Whether an objective, or a part of it, counts something else than the filters of a layer."""
    return objective.own_units or any(map(_has_own_units, objective.parts))


def has_relations(folder: Path) -> bool:
    """Whether a folder has the tables."""
    return all((folder / name).is_file() for name in (NETWORK, NEAREST, INPUTS))


def write_relations(folder: Path, units: Units) -> None:
    """Write ``network.json``, and what weights say: ``nearest.csv`` and ``inputs.csv``."""
    _write(folder, units, None, "")


def write_exemplar_relations(folder: Path, units: Units, found: Exemplars, by: str) -> None:
    """Write also what exemplars say, the photos that are strongest by a figure, and ``speaks_for.csv``."""
    lines = _write(folder, units, found, by)
    write_table(folder / CLASSES, SPEAKS_FOR, lines)


def _write(folder: Path, units: Units, found: Exemplars | None, by: str) -> list[Line]:
    write_network(folder, units.model, units.traced, list(units.filters))
    sources, layers = Sources(units.model, units.traced, units.device), units.by_layer()
    nearest, inputs, classes = list[NearestRow](), list[InputRow](), list[Line]()
    for each in layers:
        asked = [other.layer for other in layers]
        if found:
            nearest += _nearest_by_activations(each, found)
            of_photos = photo_relations(each, sources, asked, found, by)
            inputs += of_photos.inputs
            classes += of_photos.speaks_for
        by_weights = _by_weights(each, sources, asked)
        nearest += by_weights.nearest
        inputs += by_weights.inputs
    write_records(folder / NEAREST, NearestRow, nearest)
    write_records(folder / INPUTS, InputRow, inputs)
    return classes


def _nearest_by_activations(units: LayerUnits, found: Exemplars) -> list[NearestRow]:
    gathered = found.relations.get(units.name)
    if gathered is None or gathered.correlations is None:
        return []
    return nearest_rows(units, "activations", gathered.correlations.correlations())


def write_all_maps(folder: Path, rows: Sequence[ExemplarRow], found: Exemplars, units: Units) -> None:
    """Write the feature maps on the exemplars of ``rows``, of layers whose positions are those of the photo."""
    for each in units.by_layer():
        maps, layout = found.relations[each.name].maps, each.layer.layout
        if not maps.has_positions or not (layout and layout.ordered):
            log.info("%s: no maps, since its positions are none of the photo's", each.name)
            continue
        write_maps(folder, [row for row in rows if row.layer == each.name], maps)


def _by_weights(units: LayerUnits, sources: Sources, asked: Sequence[Layer]) -> WeightRelations:
    """What weights say; nothing, and a line in the log, where a network's own code fails on the way."""
    try:
        return weight_relations(units, sources, asked)
    except Exception as error:  # of any kind: whatever the network's parts raise
        log.warning("%s: its weights are not compared: %s", units.name, one_line(error))
        return WeightRelations([], [])
