"""The lines of the tables that pages are made of; a field with a default is a column that older tables lack."""

from __future__ import annotations

from typing import NamedTuple


class PictureRecord(NamedTuple):
    """A line of results.csv, without its metrics and the class."""

    layer: str
    filter: int
    image: str
    model: str = ""
    weights: str = ""
    module: str = ""
    variant: int = 0
    objective: str = ""
    recipe: str = ""
    seed: int = 0
    steps: int = 0
    size: int = 0
    status: str = "ok"
    reason: str = ""
    seconds: float = 0


class ExemplarRecord(NamedTuple):
    """A line of exemplars.csv."""

    layer: str
    module: str
    filter: int
    rank: int
    mean: float
    max: float
    photo: str
    patch: str
    image: str
    by: str = "mean"
    model: str = ""
    weights: str = ""
    width: int = 0  # of the photo, in px
    height: int = 0
    left: int = 0
    top: int = 0
    right: int = 0
    bottom: int = 0


class WeakestRecord(NamedTuple):
    """A line of weakest.csv."""

    layer: str
    module: str
    filter: int
    rank: int
    mean: float
    max: float
    photo: str
    image: str


class TenthRecord(NamedTuple):
    """A line of tenths.csv: a photo from one tenth of the distribution of a unit's activations."""

    layer: str
    module: str
    filter: int
    tenth: int
    value: float
    photo: str
    image: str


class StatisticsRecord(NamedTuple):
    """A line of statistics.csv, without its percentiles."""

    layer: str
    module: str
    filter: int
    figure: str
    photos: int
    mean: float
    std: float
    model: str = ""
    weights: str = ""
    network: str = ""


class HistogramRecord(NamedTuple):
    """A line of histograms.csv, without its counts."""

    layer: str
    module: str
    filter: int
    figure: str
    low: float
    high: float


class ClassRecord(NamedTuple):
    """A line of speaks_for.csv: a class that a unit raises the logit of; its name may be missing."""

    layer: str
    module: str
    filter: int
    rank: int
    value: float
    name: str = ""


class NearestRecord(NamedTuple):
    """A line of nearest.csv: a unit of the same layer that is like this one, by activations or by weights."""

    layer: str
    module: str
    filter: int
    by: str
    rank: int
    other: int
    value: float


class InputRecord(NamedTuple):
    """A line of inputs.csv: a unit of an earlier layer that excites (sign 1) or inhibits (sign -1) this one."""

    layer: str
    module: str
    filter: int
    by: str
    sign: int
    rank: int
    source: str
    source_filter: int
    value: float
