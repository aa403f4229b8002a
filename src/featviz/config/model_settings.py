"""What is typed of a model: settings that every network has others of, and files where a model's name is expected."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from featviz.config.quoting import split_commas, unquoted
from featviz.errors import FeatvizError

OPEN = ("model.kwargs", "model.stages", "model.forward")  # whose names no configuration knows beforehand
FILES = (".pt", ".pth", ".pt2", ".ckpt", ".bin", ".tar", ".safetensors", ".onnx", ".h5", ".keras")


def model_settings(arguments: Iterable[str]) -> Iterator[str]:
    """The arguments with the plus that Hydra wants before new names: ``model.kwargs.depth=3``, ``model.kwargs={...}``.

    Raises:
        FeatvizError: ``model=`` names a file or an import path; the line says how to give a network of one's own.

    Example:
        >>> list(model_settings(["model.kwargs.depth=3", "model.stages={layer1:a,layer2:b}"]))
        ['++model.kwargs.depth=3', '++model.stages.layer1=a', '++model.stages.layer2=b']
    """
    for argument in arguments:
        name, equals, value = argument.partition("=")
        if name == "model" and equals:
            _check_name(unquoted(value))
        if name in OPEN and re.fullmatch(r"\{.+\}", value, re.S):
            pairs = (part.partition(":") for part in split_commas(value[1:-1]))
            yield from (f"++{name}.{key.strip()}={text.strip()}" for key, _, text in pairs)
        elif name.startswith(tuple(f"{group}." for group in OPEN)) and equals:
            yield f"++{argument}"
        else:
            yield argument


def _check_name(value: str) -> None:
    if value.lower().endswith(FILES):
        hint = f"model=own model.target=package.module.Thing model.weights={value}"
        what = f"model={value} is a file, and a network's class is needed to read it: {hint}"
        raise FeatvizError(what, setting="model", got=value, hint=hint)
    if re.fullmatch(r"[A-Za-z_]\w*(?:[.:][A-Za-z_]\w*)+", value):
        hint = f"model=own model.target={value} model.weights=PATH (or model.weights=random, or given)"
        raise FeatvizError(f"model={value} is an import path: {hint}", setting="model", got=value, hint=hint)
