"""What is known of one picture, a line of ``results.csv``, and how it is said in labels.

Hydra imports this before it prints its help: nothing here is slow to import.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import isfinite
from pathlib import Path
from typing import Any, TypedDict


class MetricColumns(TypedDict, total=False):
    """How far the picture can be trusted, where that is asked for: docs/evidence.md."""

    gain: float
    robustness: float
    selectivity: float
    selectivity_rank: float
    high_frequency: float
    spectrum_slope: float
    excess_2_4: float
    excess_4_8: float
    excess_8_16: float


CLASS, CONCEPT = "class", "concept"
#: The name of the class that a filter stands for; only where the layer's filters are classes that the model names.
ClassColumn = TypedDict("ClassColumn", {"class": str}, total=False)


class ActivationColumns(TypedDict, total=False):
    """Where the activation stands among those of real photos; only for pictures that are compared with some."""

    natural_max: float
    natural_mean: float
    natural_std: float
    percentile: float


class ConceptColumn(TypedDict, total=False):
    """The number of the concept, where the layer's channels are concepts: that of ``filter``."""

    concept: int


class ExemplarColumns(ClassColumn, ConceptColumn, MetricColumns, ActivationColumns, total=False):
    """Also how the picture compares with these photos: docs/evidence.md."""

    path: float
    gradient_pr: float


class Row(ExemplarColumns):
    """One line of ``results.csv``: what one picture is, and how it came out."""

    model: str
    weights: str  # pretrained, random or a path
    layer: str  # as asked for: layer4
    module: str  # its dotted name: layer4.2
    filter: int  # its number; of an objective without filters, the number of the picture
    variant: int  # 0, and counting on where a filter has several pictures
    objective: str
    recipe: str
    seed: int
    steps: int
    size: int | str  # of the picture in px: 224 for a square, 36x64, or 40x36x64 for a film of 40 frames
    activation: float  # of the finished picture as saved, without transforms
    start_activation: float
    status: str  # ok, dead or nan
    reason: str
    seconds: float
    image: str  # path relative to the run folder, empty where there is none


NAMES = CLASS, CONCEPT  # optional columns that are no measurements
METRICS = tuple(MetricColumns.__annotations__)  # those that every picture has
OPTIONAL = tuple(ExemplarColumns.__annotations__)  # those of NAMES first, then those of METRICS
COLUMNS = tuple(name for name in Row.__annotations__ if name not in OPTIONAL)


PARTS, WEAK = "; ", "weak: "  # between the parts of a reason, and how the part about other filters' pictures begins


def columns_of(rows: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    """The columns of a table of these rows; metrics that are not featviz's own come last."""
    present = dict.fromkeys(name for row in rows for name in row)
    others = (name for name in present if name not in COLUMNS + OPTIONAL)
    return COLUMNS + tuple(name for name in OPTIONAL if name in present) + tuple(others)


def metrics_of(rows: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    """The columns of metrics, featviz's own and others, that any of these rows has."""
    others = (*COLUMNS, *NAMES, *ActivationColumns.__annotations__)
    return tuple(name for name in columns_of(rows) if name not in others)


def unit_word(module: str) -> str:
    """What a channel of a module is called: ``layer4.2`` has filters, ``layer4.2@nmf-1f3c9a02`` has concepts."""
    return CONCEPT if "@" in module else "filter"


def subject(row: Row) -> str:
    """Name what a picture is of, in a label."""
    number = f"{unit_word(row['module'])} {row['filter']}"
    name = f"{row['class']} ({row['filter']})" if row.get("class") else number
    return name + (f" ({row['variant']})" if row["variant"] else "")


def outcome(row: Row) -> str:
    """Say the activation in short, and whether it is weak, or why there is none worth saying."""
    if row["status"] != "ok":
        return row["status"]
    number = three_digits(row["activation"])
    return f"{number}, weak" if is_weak(row) else number


def three_digits(value: float) -> str:
    """A number with three digits that count, also where they are zeros; of large numbers those before the point.

    Example:
        >>> [three_digits(value) for value in (4, 23.16, 0.0822, 1234.5, 3.4e-9)]
        ['4.00', '23.2', '0.0822', '1234', '3.40e-09']
    """
    if value == 0 or not isfinite(value):
        return f"{value:.0f}"
    if not 1e-3 <= abs(value) < 1e5:
        return f"{value:.2e}"
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:#.3g}".rstrip(".")


def beside_photos(row: Row) -> str:
    """Where the activation stands among those of photos; nothing where it has not been compared."""
    percentile = row.get("percentile")
    if percentile is None:
        return ""
    if percentile < 100:
        return f"percentile {int(percentile)}"
    times = row["activation"] / row["natural_max"] if row["natural_max"] > 0 else 0.0
    if not times:
        return "above all photos"
    return f"{times:.1f} times its strongest photo" if times < 10 else f"{times:.0f} times its strongest photo"


def is_doubtful(row: Row) -> bool:
    """Whether a picture is no result, or a weak one: in sheets it has the color of warnings."""
    return row["status"] != "ok" or is_weak(row)


def is_weak(row: Row) -> bool:
    """Whether another filter's picture excites the filter more, as its reason says."""
    return row["reason"] != own_reason(row)


def own_reason(row: Row) -> str:
    """The reason without what has been found beside other filters' pictures, which come and go."""
    return PARTS.join(part for part in row["reason"].split(PARTS) if not part.startswith(WEAK))


def with_weakness(row: Row, words: str) -> Row:
    """The row with these words in its reason, in the place of what it says of another filter's picture."""
    parts = [own_reason(row), f"{WEAK}{words}" if words else ""]
    return {**row, "reason": PARTS.join(filter(None, parts))}


def heading(rows: Sequence[Row]) -> str:
    """Say what all rows share: model, layer and recipe."""
    parts = ({model_label(r) for r in rows}, {layer_label(r) for r in rows}, {r["recipe"] for r in rows})
    return ", ".join(part.pop() for part in parts if len(part) == 1)


def model_label(row: Row) -> str:
    """Name the model, and its weights unless they are the pretrained ones."""
    weights = {"pretrained": "", "random": " (random weights)"}
    return row["model"] + weights.get(row["weights"], f" (weights {Path(row['weights']).name})")


def layer_label(row: Row) -> str:
    """Name the layer, and the module where that is another name."""
    name = layer_name(row["layer"])
    return name if row["layer"] == row["module"] else f"{name} ({row['module']})"


def layer_name(layer: str) -> str:
    """A layer as it was asked for, in a label: of concepts, the file's name alone tells them.

    Example:
        >>> [layer_name("layer3"), layer_name("layer3@outputs/concepts/layer3_nmf.safetensors")]
        ['layer3', 'layer3@layer3_nmf.safetensors']
    """
    name, at, file = layer.partition("@")
    return f"{name}@{Path(file).name}" if at else layer


def key_of(row: Row) -> tuple[str, int, int]:
    """What a picture is of, within a run."""
    return row["layer"], row["filter"], row["variant"]
