"""Tensors inside of what a module returns where that is no tensor: a dict, a tuple, a data class, one in another."""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from torch import Tensor

OUTPUT = "output"  # stands for what the network itself returns
_CALL = re.compile(r":\d+$")


def keyed_tensors(output: Any, key: str = "") -> Iterator[tuple[str, Tensor]]:
    """The tensors of floating-point numbers in ``output``, each with its key: ``[out]``, ``[0]``, ``[0][boxes]``."""
    if isinstance(output, Tensor):
        if output.is_floating_point():
            yield key, output
    elif isinstance(output, Mapping):
        for name, value in output.items():
            yield from keyed_tensors(value, f"{key}[{name}]")
    elif isinstance(output, tuple | list):
        for at, value in enumerate(output):
            yield from keyed_tensors(value, f"{key}[{at}]")
    elif is_dataclass(output):
        for each in fields(output):
            yield from keyed_tensors(getattr(output, each.name), f"{key}[{each.name}]")


def tensor_at(output: Any, key: str) -> Tensor | None:
    """The tensor of a key; what is returned itself without one."""
    if not key:
        return output if isinstance(output, Tensor) else None
    return dict(keyed_tensors(output)).get(key)


def module_and_key(layer: str, modules: Container[str]) -> tuple[str, str]:
    """The module behind a layer's name, and the key of what it returns.

    A name may also say which of the module's calls is meant: ``act`` and no key for ``act:1``, ``attn`` and ``[0]`` for
    ``attn[0]:2``. The network itself, ``output``, has the name that torch gives it: none.
    """
    for name in (layer, _CALL.sub("", layer)):
        if name in modules:
            return name, ""
    module, bracket, rest = name.partition("[")
    return module if module in modules or module != OUTPUT else "", bracket + rest
