"""Composed configurations, as a run gets them."""

import copy
from functools import cache

import yaml
from hydra import compose, initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import OverrideType
from omegaconf import DictConfig, OmegaConf

from featviz.config.compose import config_dir, group_options, register_resolvers

#: The options of each group, but for experiments and debugging.
GROUPS = {
    folder.name: group_options(folder.name)
    for folder in sorted(config_dir().iterdir())
    if folder.is_dir() and folder.name not in ("hydra", "experiment", "debug")
}


def chosen(*overrides: str) -> DictConfig:
    """The configuration with these overrides; those that choose the same options are composed once."""
    parsed = OverridesParser.create().parse_overrides(list(overrides))
    values = [one for one in parsed if one.type is OverrideType.CHANGE and not _chooses(one.key_or_group)]
    cfg = copy.deepcopy(_composed(*(one.input_line for one in parsed if one not in values)))
    for one in values:
        OmegaConf.update(cfg, one.key_or_group, one.value())
    return cfg


def _chooses(name: str) -> bool:
    """Whether this is typed to choose an option, or tells Hydra itself something."""
    return name in (*GROUPS, "experiment", "debug") or "/" in name or "@" in name or name.startswith("hydra.")


@cache
def _composed(*overrides: str) -> DictConfig:
    register_resolvers()
    with initialize_config_dir(str(config_dir()), version_base="1.3"):
        return compose("config", list(overrides))


def shortened(size: int, *schedules: DictConfig) -> list[str]:
    """The overrides that leave sizes around ``size`` and few steps of all these schedules."""
    small = {"size": size, "number": 2, "steps": 8, "stages": f"[[{size},1],[{size + 8},1]]"}
    shared = [name for name in small if all(name in each for each in schedules)]
    return [f"schedule.{name}={small[name]}" for name in shared]


def shorten(cfg: DictConfig, size: int) -> None:
    """Leave sizes around ``size`` and few steps of a composed schedule."""
    for setting in shortened(size, cfg.schedule):
        name, _, value = setting.partition("=")
        OmegaConf.update(cfg, name, yaml.safe_load(value))
