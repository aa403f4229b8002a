"""Layers that hand out the same feature map: an ``nn.Sequential`` and its last module."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from featviz.pages.network import Layer

CONTAINER = "Sequential"


def ids_by_module(layers: Sequence[Layer], filed: Collection[str]) -> dict[str, str]:
    """The ids of a network's layers by module; of one that nothing is known of, that of its twin, if that is known.

    ``filed`` are the modules that there are pictures or photos of.
    """
    ids = {layer.module: f"l{at}" for at, layer in enumerate(layers)}
    outer = _containers(layers)
    twins = {inner: module for module, inner in outer.items()}
    return {module: ids[_known(module, filed, outer, twins)] for module in ids}


def _containers(layers: Sequence[Layer]) -> dict[str, str]:
    """The last module of each container, by the container's name."""
    shapes = {layer.module: layer.shape for layer in layers}
    last = {layer.module.rpartition(".")[0]: layer.module for layer in layers}
    return {
        layer.module: last[layer.module]
        for layer in layers
        if layer.kind == CONTAINER and layer.module in last and shapes[last[layer.module]] == layer.shape
    }


def _known(module: str, filed: Collection[str], *steps: Mapping[str, str]) -> str:
    """The module, or its nearest twin further in or further out that is known; itself where none is."""
    for step in steps:
        other = module
        while other not in filed and other in step:
            other = step[other]
        if other in filed:
            return other
    return module
