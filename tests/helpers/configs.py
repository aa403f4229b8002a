"""Composed configurations, as a run gets them."""

from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, OmegaConf

from featviz.config.compose import config_dir, register_resolvers


def chosen(*overrides: str) -> DictConfig:
    """The configuration with these overrides."""
    register_resolvers()
    with initialize_config_dir(str(config_dir()), version_base="1.3"):
        return compose("config", list(overrides))


def shortened(size: int, *schedules: DictConfig) -> list[str]:
    """The overrides that leave sizes around ``size`` and few steps of all these schedules."""
    small = {"size": size, "start": size, "number": 2, "steps": 8, "stages": f"[[{size},1],[{size + 8},1]]"}
    shared = [
        name
        for name in small
        if all(OmegaConf.is_missing(each, name) or each.get(name) is not None for each in schedules)
    ]
    return [f"schedule.{name}={small[name]}" for name in shared]
