"""From the setting ``evidence.judges`` to networks, each loaded once in a process."""

from __future__ import annotations

from typing import Any

from omegaconf import DictConfig, ListConfig, OmegaConf

from featviz.config.build import build
from featviz.config.compose import compose_default
from featviz.config.messages import readable_errors
from featviz.errors import FeatvizError
from featviz.metrics import Judge

_JUDGES: dict[str, Judge] = {}  # those of the last run, by their settings


def build_judges(specs: Any) -> list[Judge]:
    """The judges of a run; those that the run before had too, such as a search's last trial, are taken from it.

    Args:
        specs: a name of ``conf/model``, or a list of names and of settings, ``{model: timm, name: resnet18.a1_in1k}``.

    Raises:
        FeatvizError: there is no such model, or it cannot be loaded.
    """
    nodes = judge_nodes(specs)
    settings = [OmegaConf.to_yaml(node, resolve=True) for node in nodes]
    judges = [_JUDGES.get(of) or Judge(build(node, "model")) for of, node in zip(settings, nodes, strict=True)]
    _JUDGES.clear()
    _JUDGES.update(zip(settings, judges, strict=True))
    return judges


def judge_nodes(specs: Any) -> list[DictConfig]:
    """The group ``model`` of each judge as the command line would have it; such groups stay as they are."""
    return [_model_node(spec) for spec in (specs if isinstance(specs, ListConfig | list | tuple) else [specs])]


def _model_node(spec: Any) -> DictConfig:
    if isinstance(spec, DictConfig) and "_target_" in spec:
        return spec
    settings = {"model": spec} if isinstance(spec, str) else dict(spec) if isinstance(spec, DictConfig | dict) else {}
    name = settings.pop("model", None)
    if not isinstance(name, str):
        expected = "a model's name, or {model:NAME,SETTING:VALUE}"
        raise FeatvizError(setting="evidence.judges", got=spec, expected=expected)
    with readable_errors():
        cfg = compose_default([f"model={name}"])
        OmegaConf.set_struct(cfg, False)  # model.kwargs takes any names; the others are checked where it is built
        cfg.merge_with({"model": settings})
    if missing := [str(key) for key in cfg.model if OmegaConf.is_missing(cfg.model, key)]:
        what, expected = f"evidence.judges: {name} needs {missing[0]}", f"{{model:{name},{missing[0]}:...}}"
        raise FeatvizError(what, setting="evidence.judges", got=name, expected=expected)
    return cfg.model
