"""The lines of tables that runs write and pages read: how units relate to each other, to what feeds them, to photos."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class NearestRow:
    """A line of nearest.csv: one of the units of a layer that are most like another one.

    ``by`` is ``activations`` (``value`` is the correlation of both units' figures over photos) or ``weights`` (the
    cosine of their weight vectors).
    """

    layer: str
    module: str
    filter: int
    by: str
    rank: int
    other: int
    value: float


@dataclass(frozen=True)
class InputRow:
    """A line of inputs.csv: one of the units that excite another one most (``sign`` 1), or inhibit it most (-1).

    ``source`` is their module. ``by`` is ``weights`` (``value`` is the sum of the expanded weights over positions) or
    ``gradient`` (that of gradient times activation, mean over the unit's exemplars).
    """

    layer: str
    module: str
    filter: int
    by: str
    sign: int
    rank: int
    source: str
    source_filter: int
    value: float


@dataclass(frozen=True)
class WeakestRow:
    """A line of weakest.csv: one of the photos that a filter answers to least, and its file in the run's folder."""

    layer: str
    module: str
    filter: int
    rank: int
    by: str
    mean: float
    max: float
    photo: str
    image: str


@dataclass(frozen=True)
class TenthRow:
    """A line of tenths.csv: a photo of a tenth, from 1, of all photos in the order of a filter's figure ``value``."""

    layer: str
    module: str
    filter: int
    tenth: int
    value: float
    photo: str
    image: str
