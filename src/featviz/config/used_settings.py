"""Settings that a task would ignore are refused where they are typed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from featviz.config.settings import Settings
from featviz.errors import FeatvizError
from featviz.results.typed_words import typed_setting

if TYPE_CHECKING:
    from omegaconf import DictConfig

EVERYWHERE = ("task", "output", "name", "seed", "version", "hydra", "experiment", "debug")


def check_used(cfg: DictConfig, typed: Iterable[str], settings: type[Settings]) -> None:
    """Raise FeatvizError for what was ``typed``, ``name=value``, and the task of ``cfg`` does not use or sets itself.

    ``settings`` is the class of the task's settings, which says what these are.
    """
    for text in typed:
        name = typed_setting(str(text))
        above = [name[:at] for at, letter in enumerate(name) if letter in "./"]
        if name in settings.SETS:
            _refuse(cfg, name, "it left out")
        if settings.USES is not None and not {name, *above} & {*EVERYWHERE, *settings.USES}:
            _refuse(cfg, name, f"it left out ({', '.join(settings.USES)})")


def _refuse(cfg: DictConfig, name: str, expected: str) -> None:
    raise FeatvizError(f"task={cfg.task.name} does not use {name}", setting=name, expected=expected)
