"""What a layer's weights say of its units: which are alike, and what feeds them."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from torch import Tensor

from featviz.metrics.relations.expanded_weights import expanded_weights
from featviz.metrics.relations.similarity import cosines, nearest_units
from featviz.metrics.relations.sources import Sources
from featviz.metrics.relations.strongest_inputs import strongest_inputs
from featviz.metrics.relations.weight_vectors import own_weights
from featviz.models.dictionaries import Dictionary
from featviz.models.layers import Layer
from featviz.results.relation_rows import InputRow, NearestRow

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LayerUnits:
    """Units of a layer, by number, and the name that the layer was asked for by."""

    name: str
    layer: Layer
    numbers: Sequence[int]


@dataclass(frozen=True)
class WeightRelations:
    """The rows of both tables."""

    nearest: list[NearestRow]
    inputs: list[InputRow]


def weight_relations(units: LayerUnits, sources: Sources, asked: Iterable[Layer]) -> WeightRelations:
    """Compare units by weights, and find what feeds them; ``asked`` are all layers of the run.

    Units of a convolution or a linear layer are compared by their own weights. Those of others, such as blocks, norms
    and rectifiers, are compared by the expanded weights from the module directly before; concepts by their directions.
    """
    layer = units.layer
    if layer.dictionary:
        return _of_concepts(units, layer.dictionary)
    before, source = sources.directly_before(layer), sources.of(layer, asked)
    vectors = own_weights(sources.module(layer))
    expanded = None
    if vectors is None and before is not None:
        expanded = expanded_weights(sources.segment(before, layer), range(layer.channels or 0))
        vectors = expanded.flatten(1)
    nearest = [] if vectors is None else nearest_rows(units, "weights", cosines(vectors, units.numbers))
    if not nearest:
        log.info("%s: no units that are alike by weights", units.name)
    if source is None:
        log.info("%s: no layer before it that all of it goes through, or no gradient leads there", units.name)
        return WeightRelations(nearest, [])
    if expanded is None or source != before:
        weights = expanded_weights(sources.segment(source, layer), units.numbers)
    else:
        weights = expanded[list(units.numbers)]
    return WeightRelations(nearest, input_rows(units, "weights", source, weights.sum(2)))


def _of_concepts(units: LayerUnits, dictionary: Dictionary) -> WeightRelations:
    """Concepts are compared by their directions, which are also what the layer's filters say of them."""
    directions = dictionary.W_dec
    nearest = nearest_rows(units, "weights", cosines(directions, units.numbers))
    return WeightRelations(nearest, input_rows(units, "weights", units.layer.base, directions[list(units.numbers)]))


def weight_vectors(sources: Sources, layer: Layer) -> Tensor | None:
    """What units of different networks can be compared by, (units, numbers): their own weights, or the expanded ones.

    Those of a norm or rectifier, each unit of which depends on one filter alone, are that filter's own. None where
    nothing but the picture feeds the layer, or no gradient leads to what does.
    """
    vectors, before = own_weights(sources.module(layer)), sources.directly_before(layer)
    if vectors is not None or before is None:
        return vectors
    expanded = expanded_weights(sources.segment(before, layer), range(layer.channels or 0))
    return weight_vectors(sources, before) if _is_one_to_one(expanded) else expanded.flatten(1)


def _is_one_to_one(expanded: Tensor) -> bool:
    """Whether each unit depends on the filter of its own number alone, by expanded weights (units, filters, ...)."""
    strengths = expanded.flatten(2).abs().sum(2)
    return strengths.shape[0] == strengths.shape[1] and bool((strengths - strengths.diag().diag() == 0).all())


def nearest_rows(units: LayerUnits, by: str, similarities: Tensor) -> list[NearestRow]:
    """The lines of similarities (units, all units of the layer)."""
    return [
        NearestRow(units.name, units.layer.name, number, by, rank, other, value)
        for number, others in zip(units.numbers, nearest_units(similarities, units.numbers), strict=True)
        for rank, (other, value) in enumerate(others, start=1)
    ]


def input_rows(units: LayerUnits, by: str, source: Layer, strengths: Tensor) -> list[InputRow]:
    """The lines of strengths (units, filters of the source)."""
    return [
        InputRow(units.name, units.layer.name, number, by, one.sign, one.rank, source.name, one.unit, one.strength)
        for number, of_unit in zip(units.numbers, strengths, strict=True)
        for one in strongest_inputs(of_unit)
    ]
