"""The lines of tables of which pages read a part; a field with a default is a column that older tables lack."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class PictureRecord:
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
    size: str = ""  # 224, 36x64, or 16x112x112 for a film
    status: str = "ok"
    reason: str = ""
    seconds: float = 0


@dataclass(frozen=True)
class ExemplarRecord:
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
    center_x: int = -1  # of what the strongest position sees
    center_y: int = -1


@dataclass(frozen=True)
class OnPhotoRecord:
    """A line of top_filters.csv: how a unit answers to a photo, and its rank among those that were chosen for it."""

    layer: str
    module: str
    filter: int
    mean: float
    rank: int


@dataclass(frozen=True)
class StatisticsRecord:
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


@dataclass(frozen=True)
class HistogramRecord:
    """A line of histograms.csv, without its counts."""

    layer: str
    module: str
    filter: int
    figure: str
    low: float
    high: float


@dataclass(frozen=True)
class ClassRecord:
    """A line of speaks_for.csv: a class that a unit raises the logit of; its name may be missing."""

    layer: str
    module: str
    filter: int
    rank: int
    value: float
    name: str = ""
