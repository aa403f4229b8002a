"""The networks that the setting ``evidence.judges`` names, as configurations; torch is not imported."""

from __future__ import annotations

from typing import Any

from omegaconf import DictConfig, ListConfig, OmegaConf

from featviz.config.compose import compose_default
from featviz.config.messages import readable_errors
from featviz.config.quoting import literals
from featviz.errors import FeatvizError


def judge_nodes(specs: Any) -> list[DictConfig]:
    """The group ``model`` of each judge as the command line would have it; such groups stay as they are."""
    return [_model_node(spec) for spec in (specs if isinstance(specs, ListConfig | list | tuple) else [specs])]


def _model_node(spec: Any) -> DictConfig:
    if isinstance(spec, DictConfig) and "_target_" in spec:
        return spec
    plain = OmegaConf.to_container(spec, resolve=True) if isinstance(spec, DictConfig) else spec
    settings = {"model": spec} if isinstance(spec, str) else literals(plain) if isinstance(plain, dict) else {}
    name = settings.pop("model", None)
    if not isinstance(name, str):
        expected = "a model's name, or {model:NAME,SETTING:VALUE}"
        raise FeatvizError(setting="evidence.judges", got=spec, expected=expected)
    try:
        with readable_errors():
            cfg = compose_default([f"model={name}"])
            OmegaConf.set_struct(cfg, False)  # model.kwargs takes any names; the others are checked where it is built
            cfg.merge_with({"model": settings})
    except FeatvizError as error:
        raise error.of_setting("evidence.judges") from error
    if missing := [str(key) for key in cfg.model if OmegaConf.is_missing(cfg.model, key)]:
        what, expected = f"evidence.judges: {name} needs {missing[0]}", f"{{model:{name},{missing[0]}:...}}"
        raise FeatvizError(what, setting="evidence.judges", got=name, expected=expected)
    return cfg.model
