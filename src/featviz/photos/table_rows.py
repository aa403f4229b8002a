"""The lines of the tables of task=exemplars."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from featviz.models.model import Model
from featviz.photos.exemplars import PERCENTILES, ActivationStatistics, Box, Exemplar


@dataclass(frozen=True)
class Origin:
    """Which network the exemplars are of: ``network`` is a checksum of its weights, ``modules`` {layer: module}."""

    model: str
    weights: str
    network: str
    modules: Mapping[str, str]

    @classmethod
    def of(cls, model: Model, modules: Mapping[str, str]) -> Origin:
        """The origin of exemplars of a model."""
        return cls(model.name, model.weights, model.checksum, modules)


@dataclass(frozen=True)
class ExemplarRow:
    """A line of exemplars.csv: a photo of a filter, the box of its patch (px), and the files in the run's folder.

    ``width`` and ``height`` are those of the photo in px, and (``center_x``, ``center_y``) is the middle of what the
    strongest position sees, -1 where it sees everything; older tables do not have them.
    """

    model: str
    weights: str
    layer: str
    module: str
    filter: int
    rank: int
    by: str
    mean: float
    max: float
    row: int
    column: int
    photo: str
    left: int
    top: int
    right: int
    bottom: int
    patch: str
    image: str
    width: int = 0
    height: int = 0
    center_x: int = -1
    center_y: int = -1

    @classmethod
    def of(cls, exemplar: Exemplar, origin: Origin, by: str, patch: str, image: str) -> ExemplarRow:
        """The line of an exemplar."""
        left, top, right, bottom = exemplar.box
        center_x, center_y = exemplar.center or (-1, -1)
        return cls(
            model=origin.model,
            weights=origin.weights,
            layer=exemplar.layer,
            module=origin.modules[exemplar.layer],
            filter=exemplar.filter,
            rank=exemplar.rank,
            by=by,
            mean=exemplar.mean,
            max=exemplar.max,
            row=exemplar.row,
            column=exemplar.column,
            photo=str(exemplar.photo),
            left=left,
            top=top,
            right=right,
            bottom=bottom,
            patch=patch,
            image=image,
            width=exemplar.size[0],
            height=exemplar.size[1],
            center_x=center_x,
            center_y=center_y,
        )

    @property
    def box(self) -> Box:
        """The patch's box in the photo."""
        return self.left, self.top, self.right, self.bottom

    @property
    def spot(self) -> tuple[float, float] | None:
        """Where in the patch the filter fires most, as shares of its width and height.

        None where a patch is so small a part of the photo that it says so itself, and where it is not known.
        """
        width, height = self.right - self.left, self.bottom - self.top
        if self.center_x < 0 or 2 * max(width, height) < min(self.width, self.height):
            return None
        return (self.center_x + 0.5 - self.left) / width, (self.center_y + 0.5 - self.top) / height

    @property
    def figure(self) -> float:
        """The figure by which the photo is strong."""
        return self.max if self.by == "max" else self.mean


@dataclass(frozen=True)
class StatisticsRow:
    """A line of statistics.csv: a figure of a filter over all photos; the percentiles have columns p0 to p100."""

    model: str
    weights: str
    network: str
    layer: str
    module: str
    filter: int
    figure: str
    photos: int
    mean: float
    std: float
    percentiles: tuple[float, ...]

    @classmethod
    def of(cls, statistics: ActivationStatistics, origin: Origin) -> StatisticsRow:
        """The line of a filter's statistics."""
        return cls(
            model=origin.model,
            weights=origin.weights,
            network=origin.network,
            layer=statistics.layer,
            module=origin.modules[statistics.layer],
            filter=statistics.filter,
            figure=statistics.figure,
            photos=statistics.photos,
            mean=statistics.mean,
            std=statistics.std,
            percentiles=tuple(statistics.percentiles),
        )

    @property
    def line(self) -> dict[str, Any]:
        """As in the table."""
        percentiles = {f"p{percent}": value for percent, value in zip(PERCENTILES, self.percentiles, strict=True)}
        return {name: value for name, value in asdict(self).items() if name != "percentiles"} | percentiles


@dataclass(frozen=True)
class ReferenceRow:
    """A line of references.csv: one of the photos that stand for all of them, and its file in the run's folder."""

    photo: str
    image: str


@dataclass(frozen=True)
class SkippedRow:
    """A line of skipped.csv: a photo that could not be used, and why."""

    photo: str
    reason: str
