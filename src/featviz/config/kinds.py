"""Which kinds of value settings take: those that the arguments of a class or function are annotated with."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from functools import cache
from inspect import Parameter, signature, unwrap
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from featviz.config.signatures import CONTAINERS, Arguments, Kinds
from featviz.errors import FeatvizError

#: The types of value that a configuration can hold, in words.
WORDS: dict[type, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text",
    Sequence: "a list",
    Mapping: "values by name",
    NoneType: "null",
}

UNITS = "filters"  # of a term of an objective: a number, text or a list, which the objective reads by itself


def check_kinds(settings: Mapping[str, Any], arguments: Arguments, prefix: str = "") -> None:
    """Raise FeatvizError for a setting that is of another kind than the argument of its name.

    An annotation that says more than a choice of types is left to what is called.
    """
    for name, kinds in arguments.kinds.items():
        words = [word for kind, word in WORDS.items() if kind in kinds]
        if words and name in settings and not _fits(settings[name], kinds):
            got, expected = settings[name], " or ".join(words)
            raise FeatvizError(f"{prefix}{name} is {_shown(got)}", setting=prefix + name, got=got, expected=expected)


def _fits(value: Any, kinds: Kinds) -> bool:
    if isinstance(value, bool):
        return bool in kinds
    if isinstance(value, str):
        return str in kinds
    return isinstance(value, kinds) or (isinstance(value, int) and float in kinds)


def _shown(value: Any) -> str:
    return "null" if value is None else repr(value)


def check_node(
    node: Any,
    what: str,
    known_later: Collection[str],
    arguments_of_target: Callable[[str], Arguments | None] | None = None,
) -> None:
    """Check the names and kinds of a node's settings, and of the nodes' below it.

    Args:
        node: the configuration of a piece, with ``_target_``.
        what: its dotted name.
        known_later: settings that are not the configuration's.
        arguments_of_target: tells the arguments of a ``_target_``, or None where it cannot; without it, it is imported.
    """
    from omegaconf import DictConfig, OmegaConf

    if not isinstance(node, DictConfig) or node._is_none():
        return
    present = [name for name in node if name not in known_later and not OmegaConf.is_missing(node, name)]
    settings = {str(name): node[name] for name in present}
    if node.get("_target_") is not None:
        arguments = (arguments_of_target or _imported)(node._target_)
        if arguments is None:  # instantiate says what is wrong with it
            return
        _check_names(settings, arguments, what)
        checked = {name: value for name, value in settings.items() if name != UNITS and not builds_something(value)}
        check_kinds(checked, arguments, f"{what}.")
    for name, value in settings.items():
        check_node(value, f"{what}.{name}", (), arguments_of_target)


def _imported(target: str) -> Arguments | None:
    from hydra.utils import get_object

    try:
        return arguments_of(get_object(target))
    except Exception:  # what an import may raise
        return None


def _check_names(settings: Mapping[str, Any], arguments: Arguments, what: str) -> None:
    """Raise FeatvizError for a setting that there is no argument for."""
    unknown = [name for name in settings if not name.startswith("_") and name not in arguments.kinds]
    if unknown and not arguments.takes_any:
        name = f"{what}.{unknown[0]}"
        known = [f"{what}.{argument}" for argument in arguments.kinds]
        raise FeatvizError(f"unknown setting '{name}'", setting=name, got=name, known=known)


def builds_something(value: Any) -> bool:
    """Whether a value is a node that something else is built from."""
    from omegaconf import DictConfig

    return isinstance(value, DictConfig) and value.get("_target_") is not None


@cache
def arguments_of(target: Callable[..., Any]) -> Arguments:
    """The arguments of a class or function, with the types of those that are a choice of types."""
    hints = _hints(target) | (_hints(target.__init__) if isinstance(target, type) else {})  # type: ignore[misc]
    try:
        parameters = signature(target).parameters.values()
    except (TypeError, ValueError):  # of a builtin
        return Arguments({}, takes_any=True)
    named = [one.name for one in parameters if one.kind not in (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)]
    takes_any = any(one.kind is Parameter.VAR_KEYWORD for one in parameters)
    return Arguments({name: _plain(hints.get(name)) for name in named}, takes_any)


def _plain(hint: object) -> Kinds:
    members = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    kinds = tuple(CONTAINERS.get(getattr(get_origin(member), "__name__", ""), member) for member in members)
    return kinds if all(isinstance(kind, type) and get_origin(kind) is None for kind in kinds) else ()


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
