"""``network.json``: the layers of a network, in a run's folder, for those who read it without the network."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from featviz.errors import FeatvizError
from featviz.filters import LOGITS
from featviz.models.layers import Layer, Trace
from featviz.models.model import Model
from featviz.results.files import write_file
from featviz.results.rows import layer_name
from featviz.shapes import Shape

NAME = "network.json"


def write_network(folder: Path, model: Model, traced: Trace, asked: Sequence[str]) -> None:
    """Write the table of a run that was asked for these layers."""
    content = json.dumps(network_table(model, traced, asked), indent=1) + "\n"
    write_file(folder / NAME, content.encode(errors="replace"))


def network_table(model: Model, traced: Trace, asked: Sequence[str] = ()) -> dict[str, Any]:
    """The model, and its layers in the order of the forward pass: those that task=layers lists, and single calls.

    Args:
        model: the network, with its weights.
        traced: its layers.
        asked: names of layers as they were typed, such as ``layer4`` or ``act:1``, which may stand for others.
    """
    layers = {**traced.layers, **{layer.name: layer for layer in map(traced.resolve, asked)}}
    order = {name: traced.finished.get(name, len(traced.finished)) for name in layers}
    names = _names(traced, asked)
    return {
        "model": model.name,
        "weights": model.weights,
        "network": model.checksum,
        "size": traced.size if traced.shape.is_square else list(traced.shape),
        "layers": [
            _line(layer, names.get(name, []), traced.shape)
            for name, layer in sorted(layers.items(), key=lambda item: order[item[0]])
        ],
    }


def _line(layer: Layer, names: Sequence[str], size: Shape) -> dict[str, Any]:
    return {
        "module": layer.name,
        "names": list(names),
        "type": layer.type,
        "shape": _shape(layer, size),
        "stride": layer.stride(size),
        "units": layer.channels,
    }


def _shape(layer: Layer, size: Shape) -> list[int] | None:
    """That of the layer's feature maps for one picture, (filters, h, w), or film, (filters, t, h, w)."""
    if layer.shape is None or layer.layout is None:
        return None
    output = torch.empty(layer.shape, device="meta")
    return list(layer.layout.feature_maps(output, size).shape[1:])


def _names(traced: Trace, asked: Sequence[str]) -> dict[str, list[str]]:
    """Other names {module: names}: stages, the logits, and what was typed."""
    names: dict[str, list[str]] = {}
    for name in dict.fromkeys([*traced.stages, LOGITS, *asked]):
        try:
            module = traced.resolve(name).name
        except FeatvizError:  # a network without logits
            continue
        if name != module:
            names.setdefault(module, []).append(layer_name(name))  # without folders, which pages are not to tell
    return names
