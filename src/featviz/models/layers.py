"""Layer names, stage names and filter specifications, and what is said when they do not exist."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from featviz.errors import FeatvizError, nearest, one_line
from featviz.models.layouts import Layout, find_layout
from featviz.models.model import STAGES, Model

STRIDES = (4, 8, 16, 32)
LOGITS = "logits"  # stands for the module that hands out one number for each class
PROBABILITIES = ("Softmax", "LogSoftmax")
WIDER = 64  # px added to the width of the second trace


@dataclass(frozen=True)
class Layer:
    """A module of a network as a forward pass has seen it."""

    name: str
    type: str
    calls: int = 0
    shape: tuple[int, ...] | None = None
    layout: Layout | None = None
    returned: str = "nothing"

    @property
    def channels(self) -> int | None:
        """How many filters it has, where its output holds filters."""
        return self.shape[self.layout.channel_axis] if self.shape and self.layout else None

    def stride(self, size: int) -> int | None:
        """Pixels of the input from one position of its feature map to the next, for an input of ``size`` px."""
        if self.shape is None or self.layout is None or len(self.shape) < 3:
            return None
        if len(self.shape) == 3:
            side = (self.shape[3 - self.layout.channel_axis] - self.layout.prefix_tokens) ** 0.5
        else:
            side = self.shape[2 if self.layout.channel_axis == 1 else 1]
        return round(size / side) if side > 1 else None


@dataclass
class Trace:
    """All modules of a network, the called ones in the order in which they finish."""

    layers: dict[str, Layer]
    size: int
    accepts_other_sizes: bool
    stages: dict[str, str] = field(default_factory=dict)

    def resolve(self, name: str) -> Layer:
        """The layer of a module or stage name; FeatvizError where there is none, or none that can be used."""
        layer = self.layers.get(self.stages.get(name, name))
        if layer is None and name == LOGITS:
            return self._logits()
        if layer is None:
            known = [*self.stages, LOGITS, *(n for n, at in self.layers.items() if at.layout)]
            raise FeatvizError(f"unknown layer '{name}'; {nearest(name, known)} (task=layers lists them all)")
        if not layer.calls:
            raise FeatvizError(f"layer '{name}' is never called in a forward pass: nothing can be seen of it")
        if layer.layout is None:
            raise FeatvizError(f"layer '{name}' hands out {layer.returned}, not feature maps: choose a layer inside it")
        return layer

    def _logits(self) -> Layer:
        """The last module with nothing inside it that hands out (1, classes), before any softmax."""
        outer = {name.rpartition(".")[0] for name in self.layers}
        flat = [at for at in self.layers.values() if at.layout and at.shape and len(at.shape) == 2]
        found = [layer for layer in flat if layer.name not in outer and layer.type not in PROBABILITIES]
        if not found:
            raise FeatvizError(
                "layer 'logits': no module of the network hands out one number for each class; name the layer itself"
            )
        return found[-1]


def trace(model: Model) -> Trace:
    """Run the network twice on gray pictures, square and wider, and note what each module hands out."""
    network, size = model.network, model.size
    try:
        square = _run(network, model.in_channels, size, size)
    except Exception as error:
        raise FeatvizError(
            f"model {model.name} does not take pictures of {model.in_channels} x {size} x {size}: {one_line(error)}"
        ) from error
    try:
        wide = _run(network, model.in_channels, size, size + WIDER)
    except Exception:
        wide = None  # a network that takes one size only says so by raising: pictures are then resampled to it
    found = Trace(_layers(network, square, wide), size, accepts_other_sizes=wide is not None)
    found.stages = _stages(model, found)
    return found


def _run(network: nn.Module, channels: int, height: int, width: int) -> list[tuple[str, Any]]:
    """The name and the output (its shape, or its type) of every call of a module, in the order of finishing."""
    calls: list[tuple[str, Any]] = []

    def note(name: str) -> Any:
        def hook(_module: nn.Module, _inputs: Any, output: Any) -> None:
            calls.append((name, tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__))

        return hook

    handles = [m.register_forward_hook(note(name)) for name, m in network.named_modules() if name]
    device = next((p.device for p in network.parameters()), torch.device("cpu"))
    try:
        with torch.inference_mode():
            network(torch.zeros(1, channels, height, width, device=device))
    finally:
        for handle in handles:
            handle.remove()
    return calls


def _layers(network: nn.Module, square: list[tuple[str, Any]], wide: list[tuple[str, Any]] | None) -> dict[str, Layer]:
    counts = Counter(name for name, _ in square)
    last, last_wide = dict(square), dict(wide or [])
    order = {name: at for at, (name, _) in enumerate(square)}
    types = {name: type(module).__name__ for name, module in network.named_modules() if name}
    layers: dict[str, Layer] = {}
    grids: list[tuple[int, int]] = []
    for name in sorted(counts, key=order.__getitem__):
        shape = last[name]
        if isinstance(shape, str):
            layers[name] = Layer(name, types[name], counts[name], returned=f"a {shape}")
            continue
        other = last_wide.get(name)
        layout = find_layout(shape, other if isinstance(other, tuple) else None, grids) if shape[0] == 1 else None
        if layout and len(shape) == 4:
            grids.append((shape[2], shape[3]) if layout.channel_axis == 1 else (shape[1], shape[2]))
        layers[name] = Layer(name, types[name], counts[name], shape, layout, f"a tensor of shape {list(shape)}")
    return layers | {name: Layer(name, kind) for name, kind in types.items() if name not in counts}


def _stages(model: Model, found: Trace) -> dict[str, str]:
    """Stage names: as the model gives them, or its own modules of that name, or read off the strides."""
    if model.stages:
        return dict(model.stages)
    own = {stage: stage for stage in STAGES if found.layers.get(stage) and found.layers[stage].calls}
    if len(own) == len(STAGES):
        return own
    by_stride = {stage: name for stage, s in zip(STAGES, STRIDES, strict=True) if (name := _last_at(found, s))}
    return by_stride if len(by_stride) > 1 else _quarters(found)


def _last_at(found: Trace, stride: int) -> str:
    """The last module at a stride, of the outermost ones: inner ones may belong to a block that goes on to the next."""
    names = [name for name, layer in found.layers.items() if layer.layout and layer.stride(found.size) == stride]
    outermost = min((name.count(".") for name in names), default=0)
    return next((name for name in reversed(names) if name.count(".") == outermost), "")


def _quarters(found: Trace) -> dict[str, str]:
    """For a network of one stride: its blocks at a quarter, half, three quarters and the end of its depth."""
    lists: dict[tuple[str, str], list[str]] = {}
    for name, layer in found.layers.items():
        parent, _, _ = name.rpartition(".")
        if layer.layout and layer.shape and len(layer.shape) > 2:
            lists.setdefault((parent, layer.type), []).append(name)
    blocks = max(lists.values(), key=len, default=[])
    if len(blocks) < len(STAGES):
        return {}
    return {stage: blocks[(at + 1) * len(blocks) // 4 - 1] for at, stage in enumerate(STAGES)}
