"""What the user tells of a network: it goes before what the network or its library says."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Real
from pathlib import Path

from featviz.errors import FeatvizError, at_least, one_line, within
from featviz.models.sources.file_kinds import KINDS, check_weights
from featviz.reading import expanded, read_bytes
from featviz.shapes import Size, check_size

Values = float | Sequence[float]
MOST_CHANNELS = 65536
LONGEST_NAMES = 2**24  # bytes of a file of them
NAMES = "a list of names, or a file with one in each line"


def per_channel(what: str, values: Values | None, default: Sequence[float] = ()) -> tuple[float, ...]:
    """One number, or one for each channel, as a tuple; ``default`` where none is told.

    Raises:
        FeatvizError: there is something else in ``model.<what>``.
    """
    if values is None:
        return tuple(default)
    numbers = [values] if isinstance(values, int | float) else list(values)
    if not numbers or not all(isinstance(number, Real) for number in numbers):
        expected = "a number, or a list of one for each channel"
        raise FeatvizError(setting=f"model.{what}", got=values, expected=expected)
    return tuple(map(float, numbers))


def check_typed_size(size: Size | None) -> None:
    """Raise FeatvizError for a size that is told, and is none."""
    if size is not None:
        check_size("model.size", size)


def check_counts(**counts: int | None) -> None:
    """Raise FeatvizError for a number of channels that is told, and that no pictures have."""
    for what, count in counts.items():
        if count is not None:
            at_least(f"model.{what}", count, 1)
            within(f"model.{what}", count, 1, MOST_CHANNELS, f"at most {MOST_CHANNELS}")


def check_origin(weights: str | None, weights_key: str | None, url: str | None = None) -> None:
    """Raise FeatvizError for a checkpoint that is not there, a key where none is read, or an address without a use."""
    if weights_key is not None and weights in KINDS:
        expected = f"null, or the path of a checkpoint as model.weights, which is {weights}"
        raise FeatvizError(setting="model.weights_key", got=weights_key, expected=expected)
    if url is not None and weights != "pretrained":
        expected = f"null, or model.weights=pretrained, which is {weights}"
        raise FeatvizError(setting="model.url", got=url, expected=expected)
    if weights is not None and weights not in KINDS:
        check_weights(expanded(weights))


def weights_name(weights: str, key: str | None) -> str:
    """What weights are called in tables and titles: the file, and which of its networks where one was chosen."""
    return f"{weights} [{key}]" if key else weights


def check_classes(classes: str | Sequence[str] | None) -> None:
    """Raise FeatvizError for a file of names that is not there."""
    if isinstance(classes, str) and not expanded(classes).is_file():
        what = f"model.classes: there is no file '{classes}'"
        raise FeatvizError(what, setting="model.classes", got=classes, expected=NAMES)


def class_names(classes: str | Sequence[str] | None, default: Sequence[str] = ()) -> tuple[str, ...]:
    """The names of a network's outputs from a list, or from a file with one in each line.

    Raises:
        FeatvizError: the file cannot be read, or a name is empty or none.
    """
    if classes is None:
        return tuple(default)
    names = _lines(expanded(classes)) if isinstance(classes, str) else list(classes)
    if not all(isinstance(name, str | int) for name in names):
        raise FeatvizError(setting="model.classes", got=classes, expected=NAMES)
    if not names or not all(map(str, names)):
        raise FeatvizError("model.classes is empty", setting="model.classes", got=classes, expected=NAMES)
    return tuple(map(str, names))


def _lines(file: Path) -> list[str]:
    try:
        text = read_bytes(file, LONGEST_NAMES).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        what = f"model.classes: {file} cannot be read: {one_line(error)}"
        raise FeatvizError(what, setting="model.classes", got=str(file), expected=NAMES) from error
    return [line.strip() for line in text.strip().splitlines()]
