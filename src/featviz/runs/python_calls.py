"""Calls from Python as the tasks take them: a configuration, and the network where the caller brings one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from threading import RLock
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import torch
from omegaconf import OmegaConf
from torch import nn

from featviz.config.build import build_model
from featviz.config.checks import check_settings
from featviz.config.compose import compose_default
from featviz.config.messages import readable_errors
from featviz.config.options import check_options
from featviz.config.python_values import check_overrides, folder_path, plain_value
from featviz.config.quoting import literal, literals
from featviz.errors import FeatvizError
from featviz.models.model import Model
from featviz.models.sources.own import from_module
from featviz.results.folder import RunFolder
from featviz.results.typed_words import typed_setting

if TYPE_CHECKING:
    from omegaconf import DictConfig

DEFAULT = "efficientnet_lite0"

Given = ParamSpec("Given")
Returned = TypeVar("Returned")


def one_at_a_time(function: Callable[Given, Returned]) -> Callable[Given, Returned]:
    """Let calls of several threads wait for each other: Hydra, warnings and torch's seed are the whole process's."""

    @wraps(function)
    def waiting(*args: Given.args, **kwargs: Given.kwargs) -> Returned:
        with _RUNNING:
            return function(*args, **kwargs)

    return waiting


_RUNNING = RLock()


def composed_for(model: str | nn.Module | Model, overrides: Sequence[str], *more: str) -> DictConfig:
    """The configuration of a model, with a task's own overrides before the caller's."""
    check_overrides(overrides, of_own_model=not isinstance(model, str))
    name = model if isinstance(model, str) else DEFAULT
    settings = [f"model={name}", *more, *overrides]
    check_options(settings)
    with readable_errors(settings):
        return compose_default(settings)


def configured(
    model: str | nn.Module | Model, settings: Mapping[str, Any], overrides: Sequence[str], *more: str
) -> tuple[DictConfig, Model | None]:
    """The configuration with settings that come as Python values; and the model, where it is the caller's own."""
    cfg = composed_for(model, overrides, *more)
    for name in map(typed_setting, overrides):
        if name in settings:
            what = f"overrides say {name}, which is an argument of the call"
            raise FeatvizError(what, setting=name, expected=f"{name.rpartition('.')[2]}=... beside them")
    own = None if isinstance(model, str) else model_of(model, cfg)
    with readable_errors():
        for name, value in settings.items():
            OmegaConf.update(cfg, name, literals(plain_value(value)), merge=False)
        if own:
            cfg.model = {"name": literal(own.name), "weights": literal(own.weights)}
    check_settings(cfg, overrides)
    return cfg, own


def model_of(model: str | nn.Module | Model, cfg: DictConfig) -> Model:
    """The model handed over; for a name, the one of the configuration."""
    with torch.inference_mode(False):
        if isinstance(model, str):
            return build_model(cfg)
        return model if isinstance(model, Model) else from_module(model)


def run_folder(output: Any) -> RunFolder | None:
    """The folder that a call names for its files; None where nothing is written."""
    path = folder_path("output", output)
    return RunFolder(path) if path else None
