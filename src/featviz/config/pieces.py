"""The groups of a configuration: what switches a piece off, what a node says of itself, what a trainer may not be told.

Nothing here imports torch, so that what is wrong is told at once.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from featviz.config.kinds import builds_something, check_node
from featviz.config.options import SEVERAL
from featviz.config.signatures import read_arguments
from featviz.config.source_checks import check_arguments
from featviz.errors import FeatvizError, above_zero, shown
from featviz.filters import single_filter

if TYPE_CHECKING:
    from omegaconf import DictConfig

FOLDERS = ("dirpath", "save_dir")  # of callbacks and loggers: the run's

#: What Lightning's trainer takes, but a run cannot: it is one pass over the schedule's steps on each device.
ONLY = {
    "max_epochs": 1,
    "max_steps": -1,
    "fast_dev_run": False,
    "overfit_batches": 0,
    "accumulate_grad_batches": 1,
    **dict.fromkeys(("min_epochs", "min_steps", "max_time", "limit_train_batches"), None),
    **dict.fromkeys(("gradient_clip_val", "gradient_clip_algorithm", "plugins"), None),
    "num_nodes": 1,
    "strategy": "auto",
    "barebones": False,
}


def check_pieces(cfg: DictConfig) -> None:
    """Raise FeatvizError for a piece whose settings cannot be those of its ``_target_``, as far as its source tells."""
    from omegaconf import DictConfig, OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    check_trainer(cfg.trainer)
    if isinstance(rate := cfg.optimizer.get("lr"), int | float):
        above_zero("optimizer.lr", rate)
    for group in cfg:
        node = cfg[group] if group != "task" else None
        with suppress(OmegaConfBaseException):  # of an interpolation, which is told where it is used
            if group in SEVERAL:
                for name, piece in nodes_of(node, str(group)).items():
                    check_piece(piece, f"{group}.{name}", FOLDERS)
            elif isinstance(node, DictConfig):
                check_piece(without_labels(node) if group == "objective" else node, str(group))
    for name, term in (OmegaConf.select(cfg, "objective.terms") or {}).items():
        if isinstance(term, DictConfig):
            single_filter(f"objective.terms.{name}.filters", term.get("filters"))


def check_piece(node: DictConfig, what: str, known_later: Collection[str] = ()) -> None:
    """Raise FeatvizError for settings that cannot be those of a piece's ``_target_``, as far as its source tells."""
    check_node(node, what, known_later, read_arguments)
    _check_values(node, what)


def _check_values(node: DictConfig, what: str) -> None:
    """Raise FeatvizError for values that a node's ``_target_``, or that of one below it, refuses."""
    from omegaconf import DictConfig, OmegaConf

    if node._is_none() or node._is_missing():
        return
    values = {str(name): node[name] for name in node if not OmegaConf.is_missing(node, name)}
    for name, value in values.items():
        if isinstance(value, DictConfig):
            _check_values(value, f"{what}.{name}")
    if node.get("_target_") is None:
        return
    plain = {name: value for name, value in values.items() if not name.startswith("_") and not builds_something(value)}
    plain = {name: OmegaConf.to_object(value) if OmegaConf.is_config(value) else value for name, value in plain.items()}
    others = any(builds_something(value) for value in values.values())
    try:
        check_arguments(str(node._target_), plain, complete=not others and not node.get("_partial_"))
    except FeatvizError as error:
        raise error.of_piece(what) from error


def nodes_of(group: Mapping[str, Any] | None, name: str) -> dict[str, DictConfig]:
    """The configurations of a group's pieces that are not switched off by null; the group itself may be."""
    from omegaconf import DictConfig

    if group is not None and not isinstance(group, Mapping):
        raise FeatvizError(setting=name, got=group, expected="pieces by name, or null")
    nodes = {str(key): node for key, node in (group or {}).items() if node is not None}
    for key, node in nodes.items():
        if not isinstance(node, DictConfig):
            raise FeatvizError(setting=f"{name}.{key}", got=node, expected="a piece with _target_, or null")
    return nodes


def without_labels(objective: DictConfig) -> DictConfig:
    """An objective without its name and those of the ones inside it, which are for tables, and what is the run's."""
    from omegaconf import OmegaConf

    node = objective.copy()
    OmegaConf.set_struct(node, False)
    _drop_labels(node)
    return node


def _drop_labels(node: DictConfig) -> None:
    from omegaconf import DictConfig, OmegaConf

    if "_target_" in node:
        node.pop("name", None)
        for key in ("layer", "filters"):
            if key in node and node[key] is None:
                del node[key]
    for name in node:
        if not OmegaConf.is_missing(node, name) and isinstance(node[name], DictConfig):
            _drop_labels(node[name])


def check_trainer(node: DictConfig) -> None:
    """Raise FeatvizError for a trainer's setting that would change what a run promises, or how it is shared out."""
    for name, only in ONLY.items():
        if (value := node.get(name, only)) != only or isinstance(value, bool) != isinstance(only, bool):
            expected = f"{shown(only)}: a run is one pass over the schedule's steps, and its devices share the pictures"
            raise FeatvizError(setting=f"trainer.{name}", got=value, expected=expected)
