"""What feeds a layer: the nearest earlier layer that was asked for, or the module with filters directly before it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import nn

from featviz.metrics.relations.segment import Segment
from featviz.models.layers import Layer, Trace
from featviz.models.model import Model
from featviz.models.trunk import Flow, flow_of

PASSING = ("Identity", "Dropout", "Dropout2d", "DropPath")  # in eval mode they hand on what they get


class Sources:
    """Finds the layers that feed others of a network.

    Args:
        model: the network.
        traced: its layers.
        device: on which passes are made.
    """

    def __init__(self, model: Model, traced: Trace, device: torch.device | None = None) -> None:
        self.model, self.traced, self._device = model, traced, device or torch.device("cpu")
        try:
            self._flow = flow_of(model.network, model.in_channels, model.size)
        except Exception:  # a network that cannot do with gradients; it has passed without
            self._flow = Flow({}, None)

    def of(self, layer: Layer, asked: Iterable[Layer] = ()) -> Layer | None:
        """The nearest of the layers ``asked`` for that the layer depends on, or else the one directly before it."""
        end = self.traced.finished[layer.name]
        earlier = [other for other in asked if other != layer and self.traced.finished[other.name] < end]
        for other in sorted(earlier, key=lambda other: -self.traced.finished[other.name]):
            if not other.key and self.segment(other, layer).is_connected():
                return other
        return self.directly_before(layer)

    def leads_to(self, layer: Layer, target: Layer) -> bool:
        """Whether all of what the target hands out goes through the layer, which is before it."""
        return any(layer.name in group for group in self._flow.before(target.name))

    def module(self, layer: Layer) -> nn.Module | None:
        """The module that a layer's name stands for; None for a single call, or a tensor in what a module returns."""
        return dict(self.model.network.named_modules()).get(layer.name)

    def segment(self, source: Layer, target: Layer) -> Segment:
        """The way from one layer to a later one."""
        return Segment(self.model, self.traced, source, target, self._device)

    def directly_before(self, layer: Layer) -> Layer | None:
        """The nearest module with filters, none inside of the layer, that all of what it hands out goes through.

        None for a first layer, and where no gradient leads through the network.
        """
        module = layer.name.partition("[")[0].partition(":")[0]
        for group in self._flow.before(layer.name):
            if name := self._chosen([name for name in group if not name.startswith(f"{module}.")]):
                return self.traced.layers[name]
        return None

    def _chosen(self, names: Sequence[str]) -> str:
        """Of modules that hand out the same, a stage, or the first that is more than an identity."""
        usable = [name for name in names if self._is_usable(name)]
        stages = [name for name in usable if name in self.traced.stages.values()]
        substantial = [name for name in usable if self.traced.layers[name].type not in PASSING]
        return next(iter([*stages, *substantial, *usable]), "")

    def _is_usable(self, name: str) -> bool:
        layer = self.traced.layers.get(name)
        return layer is not None and bool(layer.channels) and not layer.key
