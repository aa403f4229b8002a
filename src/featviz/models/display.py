"""Which channels of a network's pictures are shown together: ``model.display``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from featviz.errors import FeatvizError

EACH = "each"
EXPECTED = "each (every channel by itself), or groups of channels such as [[0,1,2],[3]], or null"

#: What is typed: None for the first three channels, ``each``, or groups of numbers of channels.
Groups = str | Sequence[int] | Sequence[Sequence[int]] | None


def channel_groups(given: Groups, channels: int) -> tuple[tuple[int, ...], ...] | None:
    """Groups of channels as they are shown, or None where nobody has chosen.

    Raises:
        FeatvizError: they are none, or there are no such channels.
    """
    if given is None:
        return None
    if given == EACH:
        return tuple((channel,) for channel in range(channels))
    if isinstance(given, str) or not given:
        raise FeatvizError(setting="model.display", got=given, expected=EXPECTED)
    alone = all(isinstance(part, int) for part in given)
    several: list[Any] = [[part] for part in given] if alone else list(given)
    for group in several:
        if not isinstance(group, Sequence) or not group or not all(isinstance(part, int) for part in group):
            raise FeatvizError(setting="model.display", got=given, expected=EXPECTED)
        if not all(0 <= part < channels for part in group):
            what = f"model.display is {given}, but the network takes {channels} channels, 0 to {channels - 1}"
            raise FeatvizError(what, setting="model.display", got=given)
    return tuple(tuple(group) for group in several)
