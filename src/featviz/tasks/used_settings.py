"""Settings that a task would ignore are refused where they are typed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from featviz.errors import FeatvizError

EVERYWHERE = ("task", "output", "name", "seed", "version", "hydra", "experiment", "debug")
NETWORK = ("model", "fold", "channels_last")


def check_used(cfg: DictConfig, used: Sequence[str]) -> None:
    """Raise FeatvizError for a setting that was typed, but is none of those that the task of ``cfg`` uses."""
    known = (*EVERYWHERE, *used)
    for name in _typed():
        above = [name[:at] for at, letter in enumerate(name) if letter in "./"]
        if not {name, *above} & set(known):
            _refuse(cfg, name, f"it left out ({', '.join(used)})")


def check_unused(cfg: DictConfig, unused: Sequence[str]) -> None:
    """Raise FeatvizError for a setting that was typed, but is one of those that the task of ``cfg`` sets itself."""
    for name in _typed():
        if name in unused:
            _refuse(cfg, name, "it left out")


def _typed() -> Iterator[str]:
    """The names of the settings that were typed."""
    for text in HydraConfig.get().overrides.task:
        yield str(text).lstrip("+~").partition("=")[0].partition("@")[0]


def _refuse(cfg: DictConfig, name: str, expected: str) -> None:
    raise FeatvizError(f"task={cfg.task.name} does not use {name}", setting=name, expected=expected)
