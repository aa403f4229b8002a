"""Composed configurations, as a run gets them."""

from hydra import compose, initialize_config_dir
from omegaconf import DictConfig

from featviz.config.compose import config_dir, register_resolvers


def chosen(*overrides: str) -> DictConfig:
    """The configuration with these overrides."""
    register_resolvers()
    with initialize_config_dir(str(config_dir()), version_base="1.3"):
        return compose("config", list(overrides))
