"""Settings that a task would ignore are refused where they are typed."""

from __future__ import annotations

from collections.abc import Sequence

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from featviz.errors import FeatvizError

EVERYWHERE = ("task", "output", "name", "seed", "version", "hydra", "experiment", "debug")
NETWORK = ("model", "fold", "channels_last")


def check_used(cfg: DictConfig, used: Sequence[str]) -> None:
    """Raise FeatvizError for a setting that was typed, but is none of those that the task of ``cfg`` uses."""
    known = (*EVERYWHERE, *used)
    for text in HydraConfig.get().overrides.task:
        name = str(text).lstrip("+~").partition("=")[0].partition("@")[0]
        above = [name[:at] for at, letter in enumerate(name) if letter in "./"]
        if not {name, *above} & set(known):
            raise FeatvizError(
                f"task={cfg.task.name} does not use {name}", setting=name, expected=f"it left out ({', '.join(used)})"
            )
