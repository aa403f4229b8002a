"""What is refused of a schedule's settings."""

from __future__ import annotations

from collections.abc import Sequence
from math import log
from typing import Any

from featviz.errors import FeatvizError, above_zero, within
from featviz.shapes import Shape, Size, check_size

MOST_STEPS = 1_000_000  # of a picture
MOST_SIDE = 1_000_000  # px


def typed(size: Size) -> Size:
    """A size as it is kept: a number or a tuple, whatever list it comes in."""
    return Shape.of(size).size


def check_stages(pairs: Sequence[Any]) -> None:
    """Raise FeatvizError for what is no list of sizes with steps."""
    squares = [
        [pair[0] if isinstance(pair[0], int) else 1, *pair[1:]]
        if isinstance(pair, Sequence) and len(pair) == 2 and isinstance(pair[0], int | Sequence)
        else pair
        for pair in pairs
    ]
    check_pairs("schedule.stages", squares, "[size, steps], whole numbers above zero")
    for index, pair in enumerate(pairs):
        check_size(f"schedule.stages[{index}]", pair[0])
    total = sum(steps for _, steps in pairs)
    if total > MOST_STEPS:
        what = f"schedule.stages has {total} steps in all"
        raise FeatvizError(what, setting="schedule.stages", got=total, expected=f"at most {MOST_STEPS}")


def check_octaves(number: int, factor: float, steps: int, size: Size, start: Size | None) -> None:
    """Raise FeatvizError for sizes that cannot be, from ``start`` or else up to ``size``, or more than steps."""
    if factor <= 1:
        raise FeatvizError(setting="schedule.factor", got=factor, expected="a number above 1")
    if steps < number:
        raise FeatvizError(setting="schedule.steps", got=steps, expected=f"{number} or more, one for each size")
    first = size if start is None else start
    sides = [first] if isinstance(first, int) else list(first)
    growth = (number - 1) * log(factor)
    if start is not None:
        check_size("schedule.start", start)
        if growth > log(MOST_SIDE / max(sides)):
            what = f"schedule.start={start} grows beyond {MOST_SIDE} px in {number} sizes of factor {factor}"
            raise FeatvizError(what, setting="schedule.number", got=number, expected="fewer")
    elif growth >= log(2 * min(sides)):  # the first would round to zero
        what = f"schedule.size={size} is too small for {number} sizes of factor {factor}"
        raise FeatvizError(what, setting="schedule.size", got=size)


def check_pairs(setting: str, pairs: Sequence[Any], expected: str) -> None:
    """Raise FeatvizError for what is no list of pairs of whole numbers above zero."""
    for index, pair in enumerate(pairs):
        two = isinstance(pair, Sequence) and len(pair) == 2
        if not two or not all(type(number) is int and number > 0 for number in pair):
            raise FeatvizError(setting=f"{setting}[{index}]", got=pair, expected=expected)


def check_size_and_steps(size: Size | None, steps: int | None, default_size: int | None) -> None:
    """Raise FeatvizError for sizes and steps that no picture can have; null is not told."""
    if size is not None:
        check_size("schedule.size", size)
    if default_size is not None:
        above_zero("schedule.default_size", default_size)
    if steps is not None:
        above_zero("schedule.steps", steps)
        within("schedule.steps", steps, 1, MOST_STEPS, f"at most {MOST_STEPS}")


def check_change(blur: int | None, optimizer: str) -> None:
    """Raise FeatvizError for what cannot be done between two sizes."""
    if blur is not None and (blur < 1 or blur % 2 == 0):
        raise FeatvizError(setting="schedule.blur", got=blur, expected="an odd number of px, or null")
    if optimizer not in ("keep", "reset"):
        raise FeatvizError(setting="schedule.optimizer", got=optimizer, expected="keep or reset")
