"""The settings of each task that stand outside the groups: their types, and the values that can be used.

A task's file in ``conf/task`` names its class as ``settings``; a task without one is checked against ``Settings``.
Fields have the names of the settings; a field that is a dataclass itself stands for the settings below it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from featviz.config.task_options import AtlasOptions, CompareOptions, SearchSettings, SpectrumTask
from featviz.errors import FeatvizError, at_least, one_of, within

MOST_VARIANTS = 1000  # of a filter

#: Groups and settings of the network, which most tasks use.
NETWORK = ("model", "fold", "channels_last", "onednn")


@dataclass(frozen=True)
class Settings:
    """What every task reads.

    ``USES`` names the groups and settings that the task uses beside its name and folder, and None stands for all;
    ``SETS`` those that it sets itself. Others are refused where they are typed (``config/used_settings.py``).
    """

    USES: ClassVar[Sequence[str] | None] = None
    SETS: ClassVar[Sequence[str]] = ()

    seed: int
    fold: bool
    channels_last: bool
    onednn: bool

    def __post_init__(self) -> None:
        """Refuse values out of range."""
        at_least("seed", self.seed, 0)


@dataclass(frozen=True)
class VisualizeSettings(Settings):
    """Of the tasks that make pictures."""

    batch_size: int | str
    compile: bool | str
    resume: str | None
    shard: str | None
    redirect_steps: int
    restarts: int
    variants: int
    opacity: bool
    raw: bool
    keep_checkpoints: bool
    frames: int
    relations: bool
    budget: float | None

    def __post_init__(self) -> None:
        """Refuse values out of range."""
        super().__post_init__()
        if self.batch_size != "auto" and (isinstance(self.batch_size, str) or self.batch_size < 1):
            raise FeatvizError(setting="batch_size", got=self.batch_size, expected="1 or more, or auto")
        if isinstance(self.compile, str) and self.compile != "auto":
            what = f"compile is '{self.compile}'"
            raise FeatvizError(what, setting="compile", got=self.compile, expected="true, false or auto")
        at_least("variants", self.variants, 1)
        within("variants", self.variants, 1, MOST_VARIANTS, f"at most {MOST_VARIANTS}, which are made at the same time")
        if self.budget is not None and not self.budget > 0:
            expected = "a number of million pixels above zero, or null"
            raise FeatvizError(setting="budget", got=self.budget, expected=expected)
        at_least("restarts", self.restarts, 0)
        at_least("redirect_steps", self.redirect_steps, 0)
        at_least("frames", self.frames, 0)


@dataclass(frozen=True)
class TopFiltersSettings(VisualizeSettings):
    """Of ``task=top_filters``."""

    top: int
    by: str

    def __post_init__(self) -> None:
        """Refuse values out of range."""
        super().__post_init__()
        at_least("top", self.top, 1)
        one_of("by", self.by, ("mean", "max", "zscore"))


@dataclass(frozen=True)
class TuneSettings(VisualizeSettings):
    """Of ``task=tune``."""

    search: SearchSettings


@dataclass(frozen=True)
class ExemplarsSettings(Settings):
    """Of ``task=exemplars``."""

    USES = (
        *(*NETWORK, "layer", "filters", "data", "k", "by", "limit", "references", "batch_size", "trainer", "resume"),
        *("report", "relations"),
    )

    k: int
    by: str
    limit: int | None
    references: int
    relations: bool

    def __post_init__(self) -> None:
        """Refuse values out of range."""
        super().__post_init__()
        at_least("k", self.k, 1)
        at_least("references", self.references, 1)
        if self.limit is not None:
            at_least("limit", self.limit, 1)
        one_of("by", self.by, ("mean", "max"))


#: How concepts can be found: featviz.tasks.concepts.methods.
CONCEPT_METHODS = ("nmf", "pca", "kmeans", "sae")


@dataclass(frozen=True)
class ConceptsSettings(Settings):
    """Of ``task=concepts``."""

    USES = (
        *(*NETWORK, "layer", "data", "concepts", "by", "positions", "k", "epochs", "limit", "classes", "trainer"),
        "resume",
    )

    concepts: int
    by: str
    positions: int
    k: int
    epochs: int
    limit: int | None
    classes: str | Sequence[str | int] | None

    def __post_init__(self) -> None:
        """Refuse values out of range."""
        super().__post_init__()
        for name in ("concepts", "positions", "k", "epochs"):
            at_least(name, getattr(self, name), 1)
        if self.limit is not None:
            at_least("limit", self.limit, 1)
        one_of("by", self.by, CONCEPT_METHODS)
        if self.concepts > self.positions:
            what = f"there are {self.positions} positions for {self.concepts} concepts"
            raise FeatvizError(what, setting="concepts", got=self.concepts, expected="more positions than concepts")
        _check_classes(self.classes)
        if self.classes and self.by == "kmeans":
            what = "by=kmeans has nearest centroids, and no parts of activations that classes could depend on"
            raise FeatvizError(what, setting="by", got=self.by, expected="nmf, pca or sae, beside classes")
        if self.by == "sae" and self.k > self.concepts:
            what = f"k is {self.k}, above the number of concepts, {self.concepts}"
            raise FeatvizError(what, setting="k", got=self.k, expected=f"at most {self.concepts}")


@dataclass(frozen=True)
class CompareSettings(VisualizeSettings):
    """Of ``task=compare``."""

    SETS = ("filters", "variants", "objective", "exemplars", "shard")

    by: str
    limit: int | None
    compare: CompareOptions

    def __post_init__(self) -> None:
        """Refuse values out of range."""
        super().__post_init__()
        one_of("by", self.by, ("mean", "max"))
        if self.limit is not None:
            at_least("limit", self.limit, 1)


def _check_classes(classes: str | Sequence[str | int] | None) -> None:
    """Refuse what can be no names or numbers of classes."""
    several = [classes] if isinstance(classes, str) else classes
    if several is not None and not (several and all(_may_be_class(one) for one in several)):
        expected = "names or numbers of classes, or null"
        raise FeatvizError(setting="classes", got=list(several), expected=expected)


def _may_be_class(one: object) -> bool:
    return isinstance(one, str | int) and not isinstance(one, bool) and one != ""


@dataclass(frozen=True)
class LayersSettings(Settings):
    """Of ``task=layers``."""

    USES = NETWORK


@dataclass(frozen=True)
class SpectrumSettings(Settings):
    """Of ``task=spectrum``."""

    USES = ("data", "resume")

    task: SpectrumTask


@dataclass(frozen=True)
class MergeSettings(Settings):
    """Of ``task=merge``."""

    USES = ("runs", "into", "logger", "exemplars", "report")

    into: str | None


@dataclass(frozen=True)
class ReportSettings(Settings):
    """Of ``task=report``."""

    USES = ("runs", "into", "copy")

    into: str | None
    copy: bool


@dataclass(frozen=True)
class AtlasSettings(VisualizeSettings):
    """Of ``task=atlas``."""

    SETS = ("filters", "objective.vectors", "variants", "frames")

    limit: int
    atlas: AtlasOptions

    def __post_init__(self) -> None:
        """Refuse values out of range."""
        super().__post_init__()
        at_least("limit", self.limit, 1)
        if self.shard is not None:
            what = "task=atlas is not divided among jobs"
            raise FeatvizError(what, setting="shard", got=self.shard, expected="shard=null")
