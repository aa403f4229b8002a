"""What the user tells of a network: it goes before what the network or its library says."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from featviz.errors import FeatvizError, one_line

Values = float | Sequence[float]


def per_channel(values: Values | None, default: Sequence[float] = ()) -> tuple[float, ...]:
    """One number, or one for each channel, as a tuple; ``default`` where none is told."""
    if values is None:
        return tuple(default)
    return (float(values),) if isinstance(values, int | float) else tuple(float(value) for value in values)


def weights_name(weights: str, key: str | None) -> str:
    """What weights are called in tables and titles: the file, and which of its networks where one was chosen."""
    return f"{weights} [{key}]" if key else weights


def class_names(classes: str | Sequence[str] | None, default: Sequence[str] = ()) -> tuple[str, ...]:
    """The names of a network's outputs from a list, or from a file with one in each line.

    Raises:
        FeatvizError: the file cannot be read, or a name is empty.
    """
    if classes is None:
        return tuple(default)
    names = _lines(Path(classes).expanduser()) if isinstance(classes, str) else [str(name) for name in classes]
    if not names or not all(names):
        expected = "a list of names, or a file with one in each line"
        raise FeatvizError("model.classes is empty", setting="model.classes", got=classes, expected=expected)
    return tuple(names)


def _lines(file: Path) -> list[str]:
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        what = f"model.classes: {file} cannot be read: {one_line(error)}"
        expected = "a list of names, or a file with one in each line"
        raise FeatvizError(what, setting="model.classes", got=str(file), expected=expected) from error
    return [line.strip() for line in text.strip().splitlines()]
