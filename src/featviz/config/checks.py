"""Checks of settings before they are used: of the wrong type, or out of range, they give one line."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import is_dataclass
from inspect import Parameter, signature, unwrap
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any, Union, get_args, get_origin, get_type_hints

from featviz.config.selection import filter_specs, layer_names
from featviz.config.settings import Settings
from featviz.errors import FeatvizError

if TYPE_CHECKING:
    from omegaconf import DictConfig

#: The types of value that a configuration can hold, in words.
KINDS: dict[type, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text",
    NoneType: "null",
}

LARGEST = 2**63 - 1  # a whole number in a tensor


def check_settings(cfg: DictConfig) -> None:
    """Raise FeatvizError for a setting outside the groups that the task of ``cfg`` cannot use."""
    from hydra.utils import get_class
    from omegaconf import OmegaConf

    check_finite(cfg)
    schema = cfg.task.get("settings")
    read_settings(cfg, get_class(schema) if schema else Settings)
    layer_names(cfg)
    filter_specs(cfg)
    name = OmegaConf.select(cfg, "recipe.name")
    if name and not isinstance(name, str):
        raise FeatvizError(setting="recipe.name", got=name, expected="text")
    if not name:
        raise FeatvizError("the recipe has no name: in its file, write 'recipe: {name: mine}'", setting="recipe.name")


def check_finite(node: Any, prefix: str = "") -> None:
    """Raise FeatvizError for a number in a configuration, at any depth, that is not finite or has more than 64 bits."""
    from omegaconf import DictConfig, ListConfig, OmegaConf

    if isinstance(node, DictConfig | ListConfig):
        if node._is_none() or node._is_missing():
            return
        for key in list(node) if isinstance(node, DictConfig) else range(len(node)):
            if not OmegaConf.is_missing(node, key) and not OmegaConf.is_interpolation(node, key):
                check_finite(node[key], f"{prefix}.{key}".lstrip("."))
    elif isinstance(node, float) and not math.isfinite(node):
        raise FeatvizError(setting=prefix, got=node, expected="a number, neither nan nor inf")
    elif isinstance(node, int) and abs(node) > LARGEST:
        raise FeatvizError(setting=prefix, got=node, expected="a whole number of 64 bits at most")


def read_settings(node: DictConfig, schema: type, prefix: str = "") -> Any:
    """The settings that the fields of a dataclass name, as that dataclass; FeatvizError where one does not fit."""
    hints = get_type_hints(schema)
    if absent := [name for name in hints if name not in node]:
        name = prefix + absent[0]
        raise FeatvizError(f"{name} is missing: give it on the command line, +{name}=...", setting=name)
    values = {name: node[name] for name in hints}
    check_kinds(values, schema, prefix)
    for name, hint in hints.items():
        if isinstance(hint, type) and is_dataclass(hint):
            values[name] = read_settings(node[name], hint, f"{prefix}{name}.")
    return schema(**values)


def check_kinds(settings: Mapping[str, Any], target: Callable[..., Any], prefix: str = "") -> None:
    """Raise FeatvizError for a setting that is of another kind than ``target`` annotates its argument of that name.

    An annotation that says more than a choice of types is left to ``target`` itself.
    """
    for name, hint in _hints(vars(target).get("__init__", target) if isinstance(target, type) else target).items():
        kinds = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
        words = [word for kind, word in KINDS.items() if kind in kinds]
        plain = all(isinstance(kind, type) and get_origin(kind) is None for kind in kinds)
        if words and plain and name in settings and not _fits(settings[name], kinds):
            got, expected = settings[name], " or ".join(words)
            raise FeatvizError(f"{prefix}{name} is {_shown(got)}", setting=prefix + name, got=got, expected=expected)


def _hints(function: Any) -> dict[str, Any]:
    """The annotations of a function that can be understood: some are names imported for type checkers only."""
    try:
        return get_type_hints(function)
    except (NameError, TypeError, AttributeError):
        pass
    known = getattr(unwrap(function), "__globals__", {})
    hints: dict[str, Any] = {}
    for name, annotation in getattr(function, "__annotations__", {}).items():
        with suppress(NameError, TypeError, AttributeError, SyntaxError):
            hints |= get_type_hints(type("One", (), {"__annotations__": {name: annotation}}), known)
    return hints


def _fits(value: Any, kinds: tuple[type, ...]) -> bool:
    if isinstance(value, bool):
        return bool in kinds
    return isinstance(value, kinds) or (isinstance(value, int) and float in kinds)


def _shown(value: Any) -> str:
    return "null" if value is None else repr(value)


def check_node(node: Any, what: str, known_later: Mapping[str, Any]) -> None:
    """Check the kinds of a node's settings, and of the nodes' below it."""
    from hydra.utils import get_object
    from omegaconf import DictConfig, OmegaConf

    if not isinstance(node, DictConfig):
        return
    present = [name for name in node if name not in known_later and not OmegaConf.is_missing(node, name)]
    settings = {str(name): node[name] for name in present}
    if node.get("_target_") is not None:
        try:
            target = get_object(node._target_)
        except Exception:  # instantiate says what is wrong with it
            return
        _check_names(settings, target, what)
        check_kinds({name: value for name, value in settings.items() if not _builds(value)}, target, f"{what}.")
    for name, value in settings.items():
        check_node(value, f"{what}.{name}", {})


def _check_names(settings: Mapping[str, Any], target: Callable[..., Any], what: str) -> None:
    """Raise FeatvizError for a setting that ``target`` has no argument for."""
    try:
        parameters = signature(target).parameters
    except (TypeError, ValueError):  # of a builtin
        return
    takes_any = any(parameter.kind is Parameter.VAR_KEYWORD for parameter in parameters.values())
    unknown = [name for name in settings if not name.startswith("_") and name not in parameters]
    if unknown and not takes_any:
        name = f"{what}.{unknown[0]}"
        known = [f"{what}.{parameter}" for parameter in parameters]
        raise FeatvizError(f"unknown setting '{name}'", setting=name, got=name, known=known)


def _builds(value: Any) -> bool:
    """Whether a value is a node that something else is built from."""
    from omegaconf import DictConfig

    return isinstance(value, DictConfig) and value.get("_target_") is not None
