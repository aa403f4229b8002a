"""Data as JavaScript and JSON that can stand in a page: nothing in it can end a script or be taken for markup."""

from __future__ import annotations

import json
import math
from hashlib import blake2b
from typing import Any

DIGITS = 6  # significant ones, of numbers


def to_json(data: Any) -> str:
    """JSON of ASCII letters only, without ``<``, ``>`` and ``&``; equal data give equal texts.

    Example:
        >>> to_json({"name": "</script>", "value": 0.5})
        '{"name":"\\u003c/script\\u003e","value":0.5}'
    """
    text = json.dumps(data, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    for letter in "<>&":
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    return text


def data_script(name: str, data: str) -> bytes:
    """A classic script that hands JSON to the page that has asked for it by this name."""
    return f"featvizReceive({to_json(name)},{data});\n".encode()


def rounded(value: float | None) -> float | None:
    """A number with six significant digits; None for what is not finite, which JSON does not have."""
    if value is None or not math.isfinite(value):
        return None
    return float(f"{value:.{DIGITS}g}")


def digest(content: bytes) -> str:
    """Eight hexadecimal digits that tell contents apart, for names of files."""
    return blake2b(content, digest_size=4).hexdigest()
