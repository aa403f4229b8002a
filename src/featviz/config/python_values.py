"""Values that are handed over in Python, as a configuration can hold them; FeatvizError for what cannot be one."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from operator import index
from pathlib import Path
from typing import Any

from featviz.errors import FeatvizError
from featviz.reading import expanded


def layer_setting(layer: Any) -> str | list[str]:
    """Names of layers."""
    if isinstance(layer, str):
        return layer
    if not isinstance(layer, Iterable) or not all(isinstance(name, str) for name in layer):
        expected = "a module or stage name such as 'layer4', or several"
        raise FeatvizError(f"layer is {layer!r}", setting="layer", got=layer, expected=expected)
    return list(layer)


def filters_setting(filters: Any) -> Any:
    """Filters, or a dict of those of each layer: numpy's and torch's whole numbers become Python's."""
    if isinstance(filters, str):
        return filters
    if isinstance(filters, Mapping):
        return {layer: filters_setting(of_layer) for layer, of_layer in filters.items()}
    try:
        if isinstance(filters, bool):
            raise TypeError
        several = [filters] if getattr(filters, "ndim", None) == 0 or isinstance(filters, int) else filters
        return [number if isinstance(number, str) else index(number) for number in several]
    except TypeError as error:
        expected = "5, [0, 3, 9], '0-15', 'all' or 'random:16'"
        raise FeatvizError(f"filters is {filters!r}", setting="filters", got=filters, expected=expected) from error


def paths_setting(setting: str, paths: Any) -> list[str]:
    """One path or several."""
    several = [paths] if isinstance(paths, str | Path) else paths
    if not isinstance(several, Iterable) or not all(isinstance(path, str | Path) for path in several):
        raise FeatvizError(f"{setting} is {paths!r}", setting=setting, got=paths, expected="a path, or several")
    return [str(path) for path in several]


def plain_value(value: Any) -> Any:
    """A number of NumPy's or torch's as one of Python's; any other value as it is."""
    return value.item() if getattr(value, "ndim", None) == 0 and hasattr(value, "item") else value


def folder_paths(setting: str, folders: Any) -> list[Path]:
    """One folder to read from, or several."""
    return [expanded(path) for path in paths_setting(setting, folders)]


def folder_path(setting: str, folder: Any) -> Path | None:
    """A folder to write into, which need not be there; None for none."""
    if folder is None or folder == "":
        return None
    if not isinstance(folder, str | os.PathLike) or "\0" in os.fspath(folder):
        raise FeatvizError(f"{setting} is {folder!r}", setting=setting, got=folder, expected="the name of a folder")
    return expanded(folder)


def check_overrides(overrides: Sequence[str], of_own_model: bool) -> None:
    """Refuse overrides that are no list of texts, and those of a model where a network is handed over."""
    if isinstance(overrides, str) or not all(isinstance(text, str) for text in overrides):
        expected = 'a list such as ["schedule.steps=100"]'
        raise FeatvizError(f"overrides is {overrides!r}", setting="overrides", got=overrides, expected=expected)
    typed = [text for text in overrides if text.lstrip("+~").startswith(("model=", "model."))]
    if typed and of_own_model:
        what = f"overrides say {typed[0]}, but a network is handed over"
        expected = "featviz.Model(name, network, mean=, std=, size=)"
        raise FeatvizError(what, setting=typed[0].partition("=")[0], got=typed[0], expected=expected)
