"""The one exception that featviz raises for bad input, and the nearest right spelling."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class FeatvizError(ValueError):
    """Bad input. Its text is one line: what was wrong, what was expected, what to type instead."""


class JobFailed(Exception):
    """A job of a sweep failed, and its line has been said."""


def nearest(name: str, known: Iterable[str], most: int = 3) -> str:
    """Say which of the known names come nearest: ``"nearest: layer4, layer3"`` (never empty)."""
    names = list(dict.fromkeys(known))
    lowered = {n.lower(): n for n in reversed(names)}
    close = [lowered[n] for n in difflib.get_close_matches(name.lower(), lowered, n=most, cutoff=0.4)]
    if close:
        return "nearest: " + ", ".join(close)
    shown = ", ".join(names[:12]) + (", ..." if len(names) > 12 else "")
    return f"there are: {shown}" if names else "there are none"


def one_line(error: BaseException | str, most: int = 300) -> str:
    """Fold a text of many lines, as other libraries raise them, into one."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= most else text[: most - 3] + "..."
