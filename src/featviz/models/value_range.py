"""The values that a network's pictures may have: colors, a range for each channel, or any."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Real
from typing import Any

from featviz.errors import FeatvizError, above_zero

NONE = "none"
EXPECTED = "[low, high], such a pair for each channel, or none where values have no bounds"

#: None for colors, from 0 to ``scale``; a pair [low, high], or one for each channel; ``none`` for any numbers.
Range = str | Sequence[float] | Sequence[Sequence[float]] | None
Pairs = tuple[tuple[float, float], ...]


def check_range(given: Range) -> None:
    """Raise FeatvizError for what is no range, or one whose ends are turned round."""
    if given is None or given == NONE:
        return
    if isinstance(given, str) or not isinstance(given, Sequence) or not given:
        raise FeatvizError(setting="model.range", got=given, expected=EXPECTED)
    pairs: Sequence[Any] = [given] if isinstance(given[0], int | float) else given
    for pair in pairs:
        if not isinstance(pair, Sequence) or len(pair) != 2 or not all(isinstance(end, Real) for end in pair):
            raise FeatvizError(setting="model.range", got=given, expected=EXPECTED)
        if pair[0] >= pair[1]:
            what = f"model.range goes from {pair[0]} to {pair[1]}: its ends are turned round"
            raise FeatvizError(what, setting="model.range", got=given, expected=EXPECTED)


def channel_ranges(given: Range, channels: int, scale: float) -> str | Pairs | None:
    """A range with a pair for each channel.

    Raises:
        FeatvizError: it is no range, it has another number of pairs, or ``scale`` says another largest value.
    """
    check_range(given)
    above_zero("model.scale", scale)
    if given is None or isinstance(given, str):
        return given
    if scale != 1:
        expected = "1: model.range says which values there are"
        raise FeatvizError(setting="model.scale", got=scale, expected=expected)
    rows: list[Any] = [given] if isinstance(given[0], int | float) else list(given)
    pairs = tuple((float(low), float(high)) for low, high in rows)
    if len(pairs) not in (1, channels):
        what = f"model.range has {len(pairs)} pairs, but the network takes {channels} channels"
        raise FeatvizError(what, setting="model.range", got=given)
    return pairs * channels if len(pairs) == 1 else pairs


def in_unit(
    mean: Sequence[float], std: Sequence[float], pairs: str | Pairs | None
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and std of a network's values as they are where each channel's range has become [0, 1]."""
    if pairs is None or isinstance(pairs, str):
        return tuple(mean), tuple(std)
    means = tuple((value - low) / (high - low) for value, (low, high) in zip(mean, pairs, strict=True))
    return means, tuple(value / (high - low) for value, (low, high) in zip(std, pairs, strict=True))


def described(pairs: str | Pairs | None) -> str:
    """A range in words: ``from -1 to 1``; empty for colors."""
    if pairs is None:
        return ""
    if isinstance(pairs, str):
        return "without bounds"
    different = pairs[:1] if len(set(pairs)) == 1 else pairs
    return ", ".join(f"from {low:g} to {high:g}" for low, high in different)
