"""The weighted sum of several objectives, for configurations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from operator import add
from typing import TYPE_CHECKING, Any

from torch import Tensor
from typing_extensions import override

from featviz.errors import FeatvizError
from featviz.filters import FilterSpec, single_filter
from featviz.models.layers import Layer
from featviz.objectives.base import Factory, Objective, Wrapped, objective_class, partial_settings, units_of

if TYPE_CHECKING:
    from featviz.models.model import Model

Terms = Mapping[str, Factory]


class WeightedSum(Wrapped):
    """The sum of ``terms``, each times its weight in ``weights`` (1 where there is none).

    A term may have a ``layer`` of its own, and one filter of its own (``filters``) for all pictures; otherwise its
    layer and filters are those of the pictures. Tables show the activation of the first term.
    """

    def __init__(
        self, layer: str, filters: Sequence[int], terms: Terms, weights: Mapping[str, float] | None = None
    ) -> None:
        weights = _checked(terms, weights)
        self.inner = reduce(
            add, [weights.get(name, 1.0) * _built(name, term, layer, filters) for name, term in terms.items()]
        )

    @classmethod
    @override
    def units(cls, spec: FilterSpec, layer: Layer, model: Model, seed: int, **settings: Any) -> list[int]:
        """The filters, where a term is of filters; else the pictures that a term counts for itself."""
        terms: Terms = settings["terms"]
        _checked(terms, settings.get("weights"))
        free = {name: term for name, term in terms.items() if _filter(name, term) is None}
        units = {name: units_of(term, spec, layer, model, seed) for name, term in free.items()}
        counted = {name for name, term in free.items() if getattr(objective_class(term), "own_units", False)}
        first = max(units, key=lambda name: (name not in counted, len(units[name])), default=None)
        numbers = [0] if first is None else units[first]
        for name, others in units.items():
            if others != numbers and not (name in counted and len(others) == 1):
                other = first if name in counted else name
                raise FeatvizError(
                    f"objective.terms.{name} makes {len(others)} pictures, and {first} {len(numbers)} others",
                    setting=f"objective.terms.{name}",
                    got=len(others),
                    expected=f"as many, or a filter of its own, objective.terms.{other}.filters=3",
                )
        return numbers

    @override
    def __call__(self, maps: Mapping[str, Tensor]) -> Tensor:
        return self.inner(maps)

    @override
    def __str__(self) -> str:
        return str(self.inner)


def _checked(terms: Any, weights: Any) -> Mapping[str, float]:
    """The weights, if terms and weights are named and belong together."""
    if not isinstance(terms, Mapping) or not terms or not all(callable(term) for term in terms.values()):
        expected = "named terms, each with _target_ and _partial_: true"
        raise FeatvizError(setting="objective.terms", got=terms, expected=expected)
    weights = weights or {}
    if not isinstance(weights, Mapping) or not all(isinstance(w, int | float) for w in weights.values()):
        raise FeatvizError(setting="objective.weights", got=weights, expected="numbers by the names of the terms")
    for name in weights:
        if name not in terms:
            what = f"objective.weights: there is no term '{name}'"
            raise FeatvizError(what, setting="objective.weights", got=name, known=list(terms))
    return weights


def _built(name: str, term: Factory, layer: str, filters: Sequence[int]) -> Objective:
    own = _filter(name, term)
    return term(layer=partial_settings(term).get("layer") or layer, filters=filters if own is None else [own])


def _filter(name: str, term: Factory) -> int | None:
    """The filter of a term's own."""
    return single_filter(f"objective.terms.{name}.filters", partial_settings(term).get("filters"))
