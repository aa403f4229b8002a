"""Watching the modules of a network during its passes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn


@contextmanager
def forward_hooks(modules: Iterable[tuple[str, nn.Module]], make: Callable[[str], Any]) -> Iterator[None]:
    """Within it, each module has the forward hook that ``make`` gives for its name."""
    handles = [module.register_forward_hook(make(name)) for name, module in modules]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def submodules(network: nn.Module, names: Iterable[str] | None = None) -> list[tuple[str, nn.Module]]:
    """The modules of these names, each with its name; all but the network itself without names."""
    if names is None:
        return [(name, module) for name, module in network.named_modules() if name]
    return [(name, network.get_submodule(name)) for name in names]


def device_of(network: nn.Module) -> torch.device:
    """Where a network's parameters are; the CPU where it has none."""
    return next((parameter.device for parameter in network.parameters()), torch.device("cpu"))
