"""Values that most settings cannot have, and how they are put into a configuration, field by field."""

import math
from collections.abc import Callable, Iterator
from typing import Any

from omegaconf import DictConfig

from featviz.errors import FeatvizError

BAD = [math.nan, math.inf, -math.inf, "abc", "", "[/red]", [], [1, [2]], {}, {"a": 1}, -1, 10**30]


def fields(node: Any, *path: str) -> Iterator[tuple[str, ...]]:
    """The paths of all values; an empty dictionary is one, others are looked into."""
    if not isinstance(node, dict) or (path and not node):
        yield path
        return
    for name, value in node.items():
        if name not in ("_target_", "_partial_", "_convert_", "_recursive_", "defaults"):
            yield from fields(value, *path, name)


def with_value(node: Any, path: tuple[str, ...], value: Any) -> Any:
    """The same values, but for one."""
    if not path:
        return value
    return {name: with_value(other, path[1:], value) if name == path[0] else other for name, other in node.items()}


def set_value(cfg: DictConfig, path: tuple[str, ...], value: Any) -> None:
    """Put a value in the place of another, in half the time of a new configuration; names may have dots in them."""
    *above, last = path
    node: Any = cfg
    for name in above:
        node = node[name]
    node[last] = value


def is_infinite(value: object) -> bool:
    """Whether a value is a number that is not finite."""
    return isinstance(value, float) and not math.isfinite(value)


def outcome(use: Callable[[], object]) -> FeatvizError | None:
    """Why something is refused, in one line; None where it is not. Any other error ends the test."""
    told = None
    try:
        use()
    except FeatvizError as error:
        told = error
    assert "\n" not in str(told)
    return told
