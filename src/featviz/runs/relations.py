"""How the units of a run relate, as tables in its folder, for those who read them without the network."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch

from featviz.errors import one_line
from featviz.metrics.relations.sources import Sources
from featviz.models.layers import Trace
from featviz.models.model import Model
from featviz.objectives import Objective
from featviz.photos.layer_relations import LayerRelations
from featviz.photos.relation_rows import InputRow, NearestRow
from featviz.results.files import write_records
from featviz.results.rows import Row
from featviz.runs.network_table import NAME as NETWORK
from featviz.runs.network_table import write_network
from featviz.runs.plan import Plan
from featviz.runs.weight_relations import LayerUnits, WeightRelations, nearest_rows, weight_relations

log = logging.getLogger(__name__)

NEAREST, INPUTS = "nearest.csv", "inputs.csv"


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


def write_relations(folder: Path, units: Units, gathered: Mapping[str, LayerRelations] | None = None) -> None:
    """Write ``network.json``, ``nearest.csv`` and ``inputs.csv``; ``gathered`` comes from a pass over photos."""
    write_network(folder, units.model, units.traced, list(units.filters))
    sources, layers = Sources(units.model, units.traced, units.device), units.by_layer()
    nearest, inputs = list[NearestRow](), list[InputRow]()
    for each in layers:
        of_photos = (gathered or {}).get(each.name)
        if of_photos and of_photos.correlations:
            nearest += nearest_rows(each, "activations", of_photos.correlations.correlations())
        by_weights = _by_weights(each, sources, layers)
        nearest += by_weights.nearest
        inputs += by_weights.inputs
    write_records(folder / NEAREST, NearestRow, nearest)
    write_records(folder / INPUTS, InputRow, inputs)


def _by_weights(units: LayerUnits, sources: Sources, all_units: Sequence[LayerUnits]) -> WeightRelations:
    """What weights say; nothing, and a line in the log, where a network's own code fails on the way."""
    try:
        return weight_relations(units, sources, [each.layer for each in all_units])
    except Exception as error:  # of any kind: whatever the network's parts raise
        log.warning("%s: its weights are not compared: %s", units.name, one_line(error))
        return WeightRelations([], [])
