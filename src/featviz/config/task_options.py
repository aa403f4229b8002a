"""The settings that stand together below a name of their own: ``search``, ``atlas``, ``compare``, ``task``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from featviz.errors import FeatvizError, at_least, in_order, one_of, within

MOST_CELLS = 256  # along a side of an atlas

#: What a search can go by: featviz.tasks.tune.goals.
GOALS = ("robust_activation", "transfer", "high_frequency", "seconds")


@dataclass(frozen=True)
class SearchSettings:
    """``search`` of ``task=tune``."""

    trials: int
    unseen: int
    seed: int
    study: str
    storage: str | None
    goals: Sequence[str]
    stop_early: bool

    def __post_init__(self) -> None:
        """Refuse values out of range."""
        at_least("search.trials", self.trials, 1, "a whole number from 1")
        at_least("search.unseen", self.unseen, 0, "a whole number from 0")
        within("search.seed", self.seed, 0, 2**32 - 1, f"a whole number from 0 to {2**32 - 1}")
        for name in self.goals:
            one_of("search.goals", name, GOALS)
        if not self.goals or len(set(self.goals)) < len(self.goals):
            expected = f"some of {', '.join(GOALS)}, each once"
            raise FeatvizError(setting="search.goals", got=list(self.goals), expected=expected)


@dataclass(frozen=True)
class CompareOptions:
    """``compare`` of ``task=compare``."""

    other_layer: str | None
    same: float
    alike: float
    pictures: int
    cka: bool

    def __post_init__(self) -> None:
        """Refuse values out of range."""
        within("compare.same", self.same, 0, 1)
        within("compare.alike", self.alike, 0, 1)
        in_order("compare.alike", self.alike, "compare.same", self.same)
        at_least("compare.pictures", self.pictures, 0)


@dataclass(frozen=True)
class SpectrumTask:
    """``task`` of ``task=spectrum``."""

    size: int
    channels: int


@dataclass(frozen=True)
class AtlasOptions:
    """``atlas`` of ``task=atlas``."""

    per_photo: int
    layout: str
    neighbors: int
    min_dist: float
    grid: int
    levels: int
    min_points: int
    photos: int
    projected: int

    def __post_init__(self) -> None:
        """Refuse values out of range."""
        for name in ("per_photo", "grid", "levels", "min_points"):
            at_least(f"atlas.{name}", getattr(self, name), 1)
        at_least("atlas.photos", self.photos, 0)
        at_least("atlas.projected", self.projected, 0)
        at_least("atlas.neighbors", self.neighbors, 2)
        one_of("atlas.layout", self.layout, ("auto", "umap", "pca"))
        if not 0 <= self.min_dist <= 1:
            raise FeatvizError(setting="atlas.min_dist", got=self.min_dist, expected="a number from 0 to 1")
        if self.grid * 2 ** (self.levels - 1) > MOST_CELLS:
            what = f"the finest of {self.levels} levels would have {self.grid} * 2^{self.levels - 1} cells along a side"
            raise FeatvizError(what, setting="atlas.levels", got=self.levels, expected=f"at most {MOST_CELLS}")
