"""The lines of the tables of task=compare."""

from __future__ import annotations

from dataclasses import dataclass
from math import nan


@dataclass(frozen=True)
class MatchRow:
    """A line of matches.csv: a unit of the first network and its partner in another; -1 where there is none.

    ``status`` is that of :class:`featviz.metrics.matching.Match`. ``weights`` is the cosine of both units' weights,
    where their layers are of the same shape; ``picture`` is the partner's activation by the picture of the first
    network's unit, as a share of that by its own picture, where both have pictures. nan where there is none.
    """

    layer: str
    module: str
    filter: int
    other: str
    other_layer: str
    other_module: str
    other_filter: int
    status: str
    correlation: float
    weights: float = nan
    picture: float = nan


@dataclass(frozen=True)
class CkaRow:
    """A line of cka.csv: how alike two layers are, of the first network and of another."""

    module: str
    other: str
    other_module: str
    cka: float
