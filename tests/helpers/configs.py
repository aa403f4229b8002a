"""Composed configurations, as a run gets them."""

from hydra import compose, initialize_config_dir
from omegaconf import DictConfig

from featviz.config.compose import config_dir, register_resolvers


def chosen(*overrides: str) -> DictConfig:
    """The configuration with these overrides."""
    register_resolvers()
    with initialize_config_dir(str(config_dir()), version_base="1.3"):
        return compose("config", list(overrides))


def shortened(size: int, *schedules: DictConfig) -> list[str]:
    """The overrides that leave two sizes around ``size``, and a step or two at each, of all these schedules."""
    small = {"size": size, "start": size, "number": 2, "steps": 1, "late_steps": 1, "total_steps": 8}
    shared = [name for name in small if all(schedule.get(name) is not None for schedule in schedules)]
    return [f"schedule.{name}={small[name]}" for name in shared]
