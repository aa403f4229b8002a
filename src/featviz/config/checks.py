"""Settings of the wrong kind, told in one line before they are used."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any, Union, get_args, get_origin, get_type_hints

from featviz.errors import FeatvizError

if TYPE_CHECKING:
    from omegaconf import DictConfig

#: The kinds of value that a configuration can hold, in words.
KINDS: dict[type, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text",
    NoneType: "null",
}


@dataclass
class Settings:
    """What stands outside the groups, as far as its kind is certain."""

    seed: int
    batch_size: int | str
    fold: bool
    channels_last: bool
    compile: bool | str
    resume: str | None
    shard: str | None
    redirect_steps: int
    restarts: int
    variants: int
    opacity: bool
    budget: float | None


def check_settings(cfg: DictConfig) -> None:
    """Raise FeatvizError for a setting outside the groups that no task can use."""
    from omegaconf import OmegaConf

    check_kinds({name: cfg[name] for name in Settings.__annotations__}, Settings)
    if cfg.batch_size != "auto" and (isinstance(cfg.batch_size, str) or cfg.batch_size < 1):
        raise FeatvizError(f"batch_size is {cfg.batch_size}; expected 1 or more, or auto")
    if isinstance(cfg.compile, str) and cfg.compile != "auto":
        raise FeatvizError(f"compile is '{cfg.compile}'; expected true, false or auto")
    if cfg.variants < 1:
        raise FeatvizError(f"variants is {cfg.variants}; expected 1 or more")
    if cfg.budget is not None and not cfg.budget > 0:
        raise FeatvizError(f"budget is {cfg.budget}; expected a number of million pixels above zero, or null")
    if cfg.restarts < 0:
        raise FeatvizError(f"restarts is {cfg.restarts}; expected zero or more")
    if not OmegaConf.select(cfg, "recipe.name"):
        raise FeatvizError("the recipe has no name: in its file, write 'recipe: {name: mine}'")


def check_kinds(settings: Mapping[str, Any], wanted: Callable[..., Any], prefix: str = "") -> None:
    """Raise FeatvizError for a setting that is of another kind than ``wanted`` annotates its argument of that name.

    An annotation that says more than a choice of types is left to ``wanted`` itself.
    """
    try:
        hints = get_type_hints(vars(wanted).get("__init__", wanted) if isinstance(wanted, type) else wanted)
    except (NameError, TypeError, AttributeError):  # names imported for type checkers only
        return
    for name, hint in hints.items():
        kinds = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
        words = [word for kind, word in KINDS.items() if kind in kinds]
        plain = all(isinstance(kind, type) and get_origin(kind) is None for kind in kinds)
        if words and plain and name in settings and not _fits(settings[name], kinds):
            raise FeatvizError(f"{prefix}{name} is {_shown(settings[name])}; expected {' or '.join(words)}")


def _fits(value: Any, kinds: tuple[type, ...]) -> bool:
    if isinstance(value, bool):
        return bool in kinds
    return isinstance(value, kinds) or (isinstance(value, int) and float in kinds)


def _shown(value: Any) -> str:
    return "null" if value is None else repr(value)


def check_node(node: Any, what: str, known_later: dict[str, Any]) -> None:
    """Check the kinds of a node's settings, and of the nodes' below it."""
    from hydra.utils import get_object
    from omegaconf import DictConfig, OmegaConf

    if not isinstance(node, DictConfig):
        return
    given = [name for name in node if name not in known_later and not OmegaConf.is_missing(node, name)]
    settings = {str(name): node[name] for name in given}
    if node.get("_target_") is not None:
        try:
            target = get_object(node._target_)
        except Exception:  # instantiate says what is wrong with it
            return
        check_kinds(settings, target, f"{what}.")
    for name, value in settings.items():
        check_node(value, f"{what}.{name}", {})
