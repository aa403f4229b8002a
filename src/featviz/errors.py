"""The one exception that featviz raises for bad input, and the nearest right spelling."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from copy import copy


class FeatvizError(ValueError):
    """Bad input, told in one line: what was wrong, what was expected, what to type instead.

    Args:
        what: what was wrong, where ``<setting> is <got>`` does not say it well.
        setting: the setting, by dotted name, or what else was named: ``layer``, ``model``.
        got: its value.
        expected: what would have been right, told after the word *expected*, unless ``what`` ends with it.
        known: the right names; those nearest to ``got`` are told, and kept in ``nearest``.
        hint: what else helps, told in parentheses at the end, unless ``what`` ends with it.

    Example:
        >>> str(FeatvizError(setting="schedule.blur", got=4, expected="an odd number of px, or null"))
        'schedule.blur is 4; expected an odd number of px, or null'
        >>> FeatvizError("unknown layer 'layr4'", setting="layer", got="layr4", known=["layer4", "conv1"]).nearest
        ('layer4',)
    """

    def __init__(
        self,
        what: str = "",
        *,
        setting: str = "",
        got: object = None,
        expected: str = "",
        known: Iterable[str] | None = None,
        hint: str = "",
    ) -> None:
        names = None if known is None else list(known)
        self.setting, self.got, self.expected, self.hint = setting, got, expected, hint
        self.nearest = tuple(close_names(str(got), names or ()))
        parts = [
            what or f"{setting} is {shown(got)}",
            f"expected {expected}" if expected and not what.endswith(expected) else "",
        ]
        parts += [] if names is None else [nearest(str(got), names)]
        super().__init__(
            printable("; ".join(filter(None, parts)) + (f" ({hint})" if hint and not what.endswith(hint) else ""))
        )

    def of_piece(self, piece: str) -> FeatvizError:
        """The same error, with its setting named as that of a piece of a configuration: ``transforms.first.pixels``.

        Example:
            >>> str(FeatvizError(setting="jitter.pixels", got=-1, expected="zero or more").of_piece("transforms.first"))
            'transforms.first.pixels is -1; expected zero or more'
        """
        group = piece.partition(".")[0]
        if not self.setting or self.setting == group or self.setting.startswith(f"{group}."):
            return self
        name = self.setting.rpartition(".")[2]
        error = copy(self)
        error.setting = piece if piece.endswith(f".{name}") else f"{piece}.{name}"
        error.args = (str(self).replace(self.setting, error.setting),)
        return error

    def of_setting(self, setting: str) -> FeatvizError:
        """The same error, told of a setting whose value names what is wrong: ``evidence.judges: unknown model 'x'``."""
        error = copy(self)
        error.setting, error.args = setting, (f"{setting}: {self}",)
        return error


def above_zero(setting: str, value: float, expected: str = "a number above zero") -> None:
    """Raise FeatvizError for a setting that is not above zero."""
    if not value > 0:
        raise FeatvizError(setting=setting, got=value, expected=expected)


def at_least(setting: str, value: float, least: float, expected: str = "") -> None:
    """Raise FeatvizError for a setting below ``least``."""
    if not value >= least:
        words = expected or f"{'zero' if least == 0 else f'{least:g}'} or more"
        raise FeatvizError(setting=setting, got=value, expected=words)


def within(setting: str, value: float, least: float, most: float, expected: str = "") -> None:
    """Raise FeatvizError for a setting outside a range, or that is no number."""
    if not least <= value <= most:
        raise FeatvizError(setting=setting, got=value, expected=expected or f"a number from {least:g} to {most:g}")


def in_order(low_setting: str, low: float, high_setting: str, high: float) -> None:
    """Raise FeatvizError for an empty range."""
    if low > high:
        raise FeatvizError(f"{low_setting} is {low}, above {high_setting}, {high}", setting=low_setting, got=low)


def one_of(setting: str, value: object, known: Iterable[str]) -> None:
    """Raise FeatvizError, which tells the nearest, for a value that is none of the known ones."""
    names = list(known)
    if value not in names:
        raise FeatvizError(f"unknown {setting} '{value}'", setting=setting, got=value, known=names)


class JobFailed(Exception):
    """A job of a sweep failed, and its line has been said."""


def close_names(name: str, known: Iterable[str], most: int = 3) -> list[str]:
    """The known names that come nearest to a name, upper and lower case alike; empty where none is near."""
    lowered = {other.lower(): other for other in reversed(list(known))}
    return [lowered[close] for close in difflib.get_close_matches(name.lower(), lowered, n=most, cutoff=0.4)]


def nearest(name: str, known: Iterable[str], most: int = 3) -> str:
    """Say which of the known names come nearest: ``"nearest: layer4, layer3"`` (never empty)."""
    names = list(dict.fromkeys(known))
    if close := close_names(name, names, most):
        return "nearest: " + ", ".join(close)
    told = ", ".join(names[:12]) + (", ..." if len(names) > 12 else "")
    return f"there are: {told}" if names else "there are none"


def shown(value: object) -> str:
    """A value as people type it: null and lower-case true and false, text without quotes; without letters, *empty*."""
    if value is None or isinstance(value, bool):
        return "null" if value is None else str(value).lower()
    return str(value) or "empty"


#: What would move a terminal's cursor, change its colors or its title, or turn the direction of what follows.
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def printable(text: str) -> str:
    r"""A text, such as a file's name, with escapes where a terminal would obey it instead of showing it.

    Example:
        >>> print(printable("caf\udce9 \x1b[31mred"))
        caf\xe9 \x1b[31mred
    """
    return _UNPRINTABLE.sub(_escape, text)


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    code -= 0xDC00 if 0xDC80 <= code <= 0xDCFF else 0  # a byte of a name that is not UTF-8
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def one_line(error: BaseException | str, most: int = 300) -> str:
    """Fold a text of many lines, as other libraries raise them, into one."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= most else text[: most - 3] + "..."
