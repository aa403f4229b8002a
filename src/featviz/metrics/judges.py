"""Second networks, which say what they see in pictures that were made for another one."""

from __future__ import annotations

from functools import cached_property

import torch
from torch import Tensor

from featviz.errors import FeatvizError
from featviz.filters import LOGITS
from featviz.metrics.responses import BATCH, MEAN, PhotoResponses, Responses, responses
from featviz.models.backbone import Backbone
from featviz.models.frames import resized
from featviz.models.layers import Layer, Trace
from featviz.models.model import Model
from featviz.models.speed.faster_copy import SpeedOptions
from featviz.models.tracing import trace

SAME = ("Identity", "Dropout", "Flatten")  # hand on what the layer before has said
LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601: the brightness of red, green and blue


class Judge:
    """A network that judges pictures, whatever their size, each fitted to what it takes.

    It is asked for its stages, or, where it has none, for all its layers with positions; for what its classes are told
    by; and for these.

    Args:
        model: the network with its preprocessing.
    """

    def __init__(self, model: Model) -> None:
        self.model = model
        self.name = model.name
        self.photos = PhotoResponses(self.responses, model.size, model.in_channels)

    @cached_property
    def _trace(self) -> Trace:
        return trace(self.model)

    @cached_property
    def layers(self) -> tuple[str, ...]:
        """Those that it is asked for."""
        layers, times = self._trace.layers, self._trace.finished
        with_positions = [name for name, layer in layers.items() if layer.calls and (layer.side or 0) > 1]
        found = tuple(self._trace.stages) or tuple(with_positions)
        if not self.class_count:
            return found
        end = times[self._trace.resolve(LOGITS).name]
        before = [name for name, layer in layers.items() if times.get(name, end) < end and _is_flat(layer)]
        return (*found, *sorted(before, key=lambda name: times[name])[-1:], LOGITS)

    @cached_property
    def _backbone(self) -> Backbone:
        return Backbone(self.model, self.layers, self._trace, SpeedOptions())

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the network's classes, where they are known."""
        return self.model.classes

    @cached_property
    def class_count(self) -> int:
        """How many classes the network tells apart; 0 where it hands out no numbers for classes."""
        try:
            return self._trace.resolve(LOGITS).channels or 0
        except FeatvizError:
            return 0

    def to(self, device: torch.device) -> Judge:
        """Have the network run on a device."""
        self._backbone.to(device)
        return self

    def responses(self, pictures: Tensor) -> Responses:
        """The figures of its layers, and of ``logits``, for pictures (N, C, H, W) in [0, 1] of any size."""
        fit = torch.cat([fitted(batch, self.model) for batch in torch.split(pictures, BATCH)])
        return responses(self._backbone, fit)

    def logits(self, pictures: Tensor) -> Tensor:
        """One number for each class, before the softmax, (N, classes)."""
        return self.responses(pictures)[LOGITS][:, MEAN]


def _is_flat(layer: Layer) -> bool:
    """Whether a layer has one number for each filter, and they are its own."""
    return bool(layer.channels) and (layer.side or 0) <= 1 and layer.type not in SAME


def fitted(pictures: Tensor, model: Model) -> Tensor:
    """Pictures (N, C, H, W) in [0, 1] as a network takes them, (N, channels, H, W), before its normalization.

    They are resized without aliasing. A network for colors gets gray pictures in all three channels, a network for gray
    pictures the brightness of colors.

    Raises:
        FeatvizError: the pictures have neither the network's channels, nor one or three where it takes three or one.
    """
    channels, taken = pictures.shape[1], model.in_channels
    check_channels(channels, model)
    if channels == 1 and taken == 3:
        pictures = pictures.expand(-1, 3, -1, -1)
    elif channels == 3 and taken == 1:
        pictures = (pictures * pictures.new_tensor(LUMA).view(1, 3, 1, 1)).sum(1, keepdim=True)
    return resized(pictures, model.shape, antialias=True)


def check_channels(channels: int, model: Model) -> None:
    """Raise FeatvizError where a network cannot be shown pictures of so many channels."""
    if channels != model.in_channels and {channels, model.in_channels} != {1, 3}:
        what = f"{model.name} takes pictures of {model.in_channels} channels, but these have {channels}"
        raise FeatvizError(what, setting="evidence.judges", got=model.name)
