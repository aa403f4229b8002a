"""Exemplars: the real photos that filters answer to most, and the statistics of their activations over all photos."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from featviz.errors import FeatvizError
from featviz.models.receptive_field import ReceptiveField
from featviz.photos.files import read_photo, shown_part
from featviz.results.html import html_grid
from featviz.results.rows import three_digits
from featviz.results.sheets import Cell
from featviz.shapes import Shape, Size

if TYPE_CHECKING:
    from featviz.photos.layer_relations import LayerRelations

FIGURES = ("mean", "max")  # of a feature map: its spatial mean, and its strongest single position
PERCENTILES = tuple(range(101))
MOST_SHOWN = 64  # patches in a notebook, whose file holds them

#: Left, top, right and bottom, in px.
Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class Exemplar:
    """A photo that is among the strongest, or the weakest, of a filter.

    ``box`` is the receptive field of the strongest position, in the photo's px. ``mean`` and ``max`` are figures of its
    feature map, of which (row, column) is the strongest position. ``size`` is the photo's width and height in px, and
    ``center`` the middle of what the strongest position sees, (x, y) in these px; None where it sees everything.
    """

    layer: str
    filter: int
    rank: int
    mean: float
    max: float
    row: int
    column: int
    photo: Path
    box: Box
    size: tuple[int, int] = (0, 0)
    center: tuple[int, int] | None = None

    def patch(self, photo: Image.Image | None = None) -> Image.Image:
        """The receptive field of the strongest position, cut from the photo, which is read if it is not given."""
        return (photo or read_photo(self.photo)).crop(self.box)


@dataclass(frozen=True)
class ActivationStatistics:
    """One figure (``mean`` or ``max``) of a filter's activation over the photos; ``percentiles`` from 0 to 100."""

    layer: str
    filter: int
    figure: str
    photos: int
    mean: float
    std: float
    percentiles: list[float]


@dataclass(frozen=True)
class Histogram:
    """How many photos lie in each of equal parts of the range of a filter's figure (``mean`` or ``max``)."""

    layer: str
    filter: int
    figure: str
    low: float
    high: float
    counts: list[int]


@dataclass(repr=False)
class Exemplars:
    """The outcome of a pass over photos: ``skipped`` {file: reason}, ``enlarged`` photos smaller than the input.

    Where a filter answers equally little to many photos, its ``weakest`` are spread evenly over these. ``relations``
    {layer: what was gathered} are there where they were asked for. ``references`` are photos that stand for all.
    """

    strongest: list[Exemplar]
    statistics: list[ActivationStatistics]
    skipped: dict[Path, str] = field(default_factory=dict)
    enlarged: int = 0
    weakest: list[Exemplar] = field(default_factory=list)
    relations: Mapping[str, LayerRelations] = field(default_factory=dict)
    references: list[Path] = field(default_factory=list)
    histograms: list[Histogram] = field(default_factory=list)

    def __repr__(self) -> str:
        """How many photos of how many filters."""
        filters = dict.fromkeys((one.layer, one.filter) for one in self.strongest)
        layers = ", ".join(dict.fromkeys(layer for layer, _ in filters))
        photos = self.statistics[0].photos if self.statistics else 0
        skipped = f", {len(self.skipped)} skipped" if self.skipped else ""
        of = f"{len(filters)} filter{'s' * (len(filters) != 1)} of {layers}"
        return f"Exemplars({len(self.strongest)} of {photos} photos{skipped}; {of})"

    def _repr_html_(self) -> str:
        """The strongest patches, which a notebook shows; the first ones, where there are many."""
        shown = self.strongest[:MOST_SHOWN]
        return html_grid([_cell(one) for one in shown], "strongest photos", len(self.strongest) - len(shown))


def _cell(exemplar: Exemplar) -> Cell:
    """A patch, and of which filter it is; the word missing, where the photo cannot be read any more."""
    label = f"{exemplar.layer} filter {exemplar.filter}, {exemplar.rank}\n{three_digits(exemplar.mean)}"
    try:
        return Cell(exemplar.patch(), label, is_photo=True)
    except FeatvizError:
        return Cell("missing", label)


def box_in_photo(receptive: ReceptiveField, position: tuple[int, int], size: Size, photo: tuple[int, int]) -> Box:
    """The receptive field of a position, in px of a photo (width, height) that was shown at ``size`` px.

    It ends at the borders of the part that was shown, and holds one px at least.
    """
    left, top, scale = shown_part(*photo, size)
    box = receptive.box(*position, *Shape.of(size))
    first = [math.floor(start + at * scale + 1e-6) for start, at in zip((left, top), box[:2], strict=True)]
    last = [math.ceil(start + at * scale - 1e-6) for start, at in zip((left, top), box[2:], strict=True)]
    return first[0], first[1], max(last[0], first[0] + 1), max(last[1], first[1] + 1)


def center_in_photo(
    receptive: ReceptiveField, position: tuple[int, int], size: Size, photo: tuple[int, int]
) -> tuple[int, int] | None:
    """The middle of what a position sees, in px of a photo that was shown at ``size`` px; within what was shown."""
    center = receptive.center(*position)
    if center is None:
        return None
    (height, width), (left, top, scale) = Shape.of(size), shown_part(*photo, size)
    sides = zip(center, (width, height), strict=True)
    x, y = (math.floor(min(max(at * scale, 0.0), scale * side - 1.0) + 1e-6) for at, side in sides)
    return math.floor(left) + x, math.floor(top) + y
