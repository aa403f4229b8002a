"""Checks of settings before they are used: of the wrong type, or out of range, they give one line."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any, get_type_hints

from featviz.config.compose import config_dir
from featviz.config.judges import judge_nodes
from featviz.config.kinds import arguments_of, check_kinds
from featviz.config.pieces import check_piece, check_pieces
from featviz.config.selection import check_filters
from featviz.config.settings import Settings
from featviz.config.used_settings import check_used
from featviz.errors import FeatvizError

if TYPE_CHECKING:
    from omegaconf import DictConfig

#: What has no default, and is computed by a task.
SET_BY_TASKS = {"atlas": ("objective.vectors",)}
WITH_QUOTES = "such names from Python, or in a file of --config-dir with quotes, '1.10': ..."
LARGEST = 2**63 - 1  # a whole number in a tensor


def check_settings(cfg: DictConfig, typed: Iterable[str] = ()) -> None:
    """Raise FeatvizError for a setting that the task of ``cfg`` or a piece cannot use, before torch is imported.

    What was ``typed``, ``name=value``, is refused where the task would ignore it.
    """
    from hydra.utils import get_class
    from omegaconf import OmegaConf

    check_plain(cfg)
    schema = get_class(cfg.task.settings) if cfg.task.get("settings") else Settings
    read_settings(cfg, schema)
    if issubclass(schema, Settings):
        check_used(cfg, typed, schema)
    check_filters(cfg)
    name = OmegaConf.select(cfg, "recipe.name")
    if name and not isinstance(name, str):
        raise FeatvizError(setting="recipe.name", got=name, expected="text")
    if not name:
        hint = "in its file, write 'recipe: {name: mine}'"
        raise FeatvizError(f"the recipe has no name: {hint}", setting="recipe.name", got=name, hint=hint)
    check_given(cfg)
    check_pieces(cfg)
    check_judges(cfg)


def check_given(cfg: DictConfig) -> None:
    """Raise FeatvizError for a setting of a group that has no default, and is neither given nor set by the task."""
    for name in sorted(missing_settings(cfg)):
        if (config_dir() / name.partition(".")[0]).is_dir() and name not in SET_BY_TASKS.get(cfg.task.get("name"), ()):
            hint = f"give it on the command line, {name}=..."
            raise FeatvizError(f"{name} is missing: {hint}", setting=name, hint=hint)


def missing_settings(node: Any, prefix: str = "") -> Iterator[str]:
    """The names of settings without a value. Interpolations are not looked into: some need a run of Hydra's."""
    from omegaconf import DictConfig, OmegaConf

    if isinstance(node, DictConfig) and not node._is_none():
        key: Any
        for key in node:  # numbers of filters may be keys
            name = f"{prefix}.{key}".lstrip(".")
            if OmegaConf.is_missing(node, key):
                yield name
            elif not OmegaConf.is_interpolation(node, key):
                yield from missing_settings(node[key], name)


def check_judges(cfg: DictConfig) -> None:
    """Raise FeatvizError for judges that are no models, or whose settings are none of theirs."""
    for node in judge_nodes((cfg.get("evidence") or {}).get("judges") or []):
        check_piece(node, "evidence.judges")


def check_plain(node: Any, prefix: str = "") -> None:
    """Raise FeatvizError for what no setting can be, at any depth: a number not finite or too long, text with NUL."""
    from omegaconf import DictConfig, ListConfig, OmegaConf

    if isinstance(node, DictConfig | ListConfig):
        if node._is_none() or node._is_missing():
            return
        for key in list(node) if isinstance(node, DictConfig) else range(len(node)):
            if isinstance(key, float) and prefix != "filters":  # of which more is said later
                what = f"{prefix}: the name {key} was read as a number"
                raise FeatvizError(what, setting=prefix, got=key, expected=WITH_QUOTES)
            if not OmegaConf.is_missing(node, key) and not OmegaConf.is_interpolation(node, key):
                check_plain(node[key], f"{prefix}.{key}".lstrip("."))
    elif isinstance(node, float) and not math.isfinite(node):
        raise FeatvizError(setting=prefix, got=node, expected="a number, neither nan nor inf")
    elif isinstance(node, int) and abs(node) > LARGEST:
        raise FeatvizError(setting=prefix, got=node, expected="a whole number of 64 bits at most")
    elif isinstance(node, str) and "\0" in node:
        raise FeatvizError(setting=prefix, got=node, expected="text without the character NUL")


def read_settings(node: DictConfig, schema: type, prefix: str = "") -> Any:
    """The settings that the fields of a dataclass name, as that dataclass; FeatvizError where one does not fit."""
    kinds = get_type_hints(schema)
    hints = {field.name: kinds[field.name] for field in fields(schema)}
    if absent := [name for name in hints if name not in node]:
        name = prefix + absent[0]
        hint = f"give it on the command line, +{name}=..."
        raise FeatvizError(f"{name} is missing: {hint}", setting=name, hint=hint)
    values = {name: node[name] for name in hints}
    check_kinds(values, arguments_of(schema), prefix)
    for name, hint in hints.items():
        if isinstance(hint, type) and is_dataclass(hint):
            values[name] = read_settings(node[name], hint, f"{prefix}{name}.")
    return schema(**values)
