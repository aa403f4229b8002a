"""What a watch is asked for, checked before the training begins."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from featviz.config.python_values import check_overrides, filters_setting, folder_path, layer_setting
from featviz.errors import FeatvizError, one_of, within
from featviz.watch.networks import Named

CHANGING = re.compile(r"changing:([1-9][0-9]{0,5})")
#: What a network's pictures are like: arguments of featviz.Model.
PREPROCESSING = ("mean", "std", "size", "in_channels", "channel_order", "scale", "range", "forward", "stages")

#: What differs from the command line's defaults: pictures that take less time, and nothing beside them.
OVERRIDES = (
    *("schedule.steps=128", "restarts=0", "batch_size=32", "compile=false", "fold=false", "channels_last=false"),
    *("callbacks=none", "logger=none", "relations=false"),
)


@dataclass(frozen=True)
class WatchSettings:
    """Settings as values; see :class:`featviz.Watch`."""

    layers: tuple[str, ...]
    filters: Any
    every_n_epochs: int | None
    every_n_steps: int | None
    recipe: str
    overrides: tuple[str, ...]
    output: Path | None
    budget: float | None
    seed: int
    network: Named
    preprocessing: Mapping[str, Any]

    @classmethod
    def of(
        cls,
        layers: str | Sequence[str],
        filters: Any,
        recipe: str,
        overrides: Sequence[str],
        output: Any,
        **settings: Any,
    ) -> WatchSettings:
        """Take settings as a user hands them over, in Python or in a configuration of Hydra's.

        Raises:
            FeatvizError: one of them cannot be used.
        """
        names = layer_setting(layers)
        check_overrides(overrides, of_own_model=True)
        if not names or not isinstance(recipe, str):
            setting, got = ("layers", layers) if not names else ("recipe", recipe)
            raise FeatvizError(setting=setting, got=got, expected="a name")
        return cls(
            layers=(names,) if isinstance(names, str) else tuple(names),
            filters=filters_setting(filters),
            recipe=recipe,
            overrides=tuple(overrides),
            output=folder_path("output", output),
            **settings,
        )

    def __post_init__(self) -> None:
        """Refuse values out of range."""
        _check_interval("every_n_epochs", self.every_n_epochs)
        _check_interval("every_n_steps", self.every_n_steps)
        if self.every_n_epochs is None and self.every_n_steps is None:
            expected = "a whole number from 1, or every_n_steps"
            raise FeatvizError(setting="every_n_epochs", got=None, expected=expected)
        for name in self.preprocessing:
            one_of("setting of Watch", name, PREPROCESSING)
        if self.budget is not None:
            expected = "seconds for each second of training, above 0 and at most 100, or null"
            within("budget", self.budget, 1e-6, 100, expected)

    @property
    def changing(self) -> int | None:
        """How many of the fastest changing filters are shown; None where they are named."""
        found = CHANGING.fullmatch(self.filters) if isinstance(self.filters, str) else None
        return int(found[1]) if found else None

    @property
    def by_steps(self) -> bool:
        """Whether looks are counted in steps of the optimizer, and not in epochs."""
        return self.every_n_steps is not None

    def is_due(self, epoch: int, step: int) -> bool:
        """Whether to look after this epoch (from 0), or after so many steps."""
        if self.every_n_steps is not None:
            return step > 0 and step % self.every_n_steps == 0
        assert self.every_n_epochs is not None  # one of them is given
        return (epoch + 1) % self.every_n_epochs == 0


def _check_interval(setting: str, value: Any) -> None:
    if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 1):
        raise FeatvizError(setting=setting, got=value, expected="a whole number from 1, or null")
