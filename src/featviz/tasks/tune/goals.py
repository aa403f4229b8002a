"""What a search goes by: the numbers that a trial's pictures are worth, and which way each is better."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite, nan
from statistics import fmean, median
from typing import Literal

from omegaconf import DictConfig

from featviz.errors import FeatvizError
from featviz.metrics.robustness import robust_activation
from featviz.results.rows import Row

Direction = Literal["maximize", "minimize"]
#: Robust activations by the settings that the search starts from, by layer and filter.
Defaults = Mapping[tuple[str, int], float]


@dataclass(frozen=True)
class Goal:
    """A number of a trial's rows, how it is better, and its name in plots and messages."""

    direction: Direction
    measure: Callable[[Sequence[Row], Defaults], float]
    label: str

    def best(self, values: Sequence[float]) -> float:
        """The best of several values."""
        return max(values) if self.direction == "maximize" else min(values)


def goals_of(cfg: DictConfig) -> dict[str, Goal]:
    """The goals of ``search.goals`` by name, the one that decides first.

    Raises:
        FeatvizError: one of them needs judges, and there are none.
    """
    names = [str(name) for name in cfg.search.goals]
    if "transfer" in names and not cfg.evidence.get("judges"):
        expected = "networks that see the classes, such as evidence.judges=[efficientnet_lite1]"
        raise FeatvizError(setting="evidence.judges", got=[], expected=f"{expected}: search.goals has transfer")
    return {name: GOALS[name] for name in names}


def share_of_default(rows: Sequence[Row], defaults: Defaults) -> float:
    """The median over a layer's filters of robust activation over that by default; of several layers, the lowest."""
    shares: dict[str, list[float]] = {}
    for row in rows:
        by_default = defaults.get((row["layer"], row["filter"]), 0.0)
        if by_default > 0:
            shares.setdefault(row["layer"], []).append(robust_activation(row) / by_default)
    return min(median(of_layer) for of_layer in shares.values())


def _transfer(rows: Sequence[Row], _: Defaults) -> float:
    """The mean over pictures and judges of the probability that a judge gives the picture's class."""
    names = [name for name in rows[0] if name.startswith("transfer_") and f"{name}_top1" in rows[0]]
    return _mean([row[name] for row in rows for name in names])  # type: ignore[literal-required]


def _high_frequency(rows: Sequence[Row], _: Defaults) -> float:
    values = [value for row in rows if isfinite(value := row.get("high_frequency", nan))]
    return median(values) if values else nan


def _seconds(rows: Sequence[Row], _: Defaults) -> float:
    return fmean(row["seconds"] for row in rows)


def _mean(values: Sequence[float]) -> float:
    """The mean, in which a picture that has no value, since it failed, counts as zero."""
    return fmean(value if isfinite(value) else 0.0 for value in values)


GOALS = {
    "robust_activation": Goal("maximize", share_of_default, "robust activation over the default's"),
    "transfer": Goal("maximize", _transfer, "probability of the class, by the judges"),
    "high_frequency": Goal("minimize", _high_frequency, "share of high frequencies"),
    "seconds": Goal("minimize", _seconds, "seconds a picture"),
}
