"""Second networks, which say what they see in pictures that were made for another one."""

from __future__ import annotations

from functools import cached_property

import torch
from torch import Tensor
from torch.nn import functional as F

from featviz.errors import FeatvizError
from featviz.models.backbone import Backbone
from featviz.models.layers import LOGITS, Trace
from featviz.models.model import Model
from featviz.models.tracing import trace

BATCH = 16  # pictures shown to a judge at the same time
LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601: the brightness of red, green and blue


class Judge:
    """A network that judges pictures, whatever their size, each fitted to what it takes.

    Args:
        model: the network with its preprocessing.
    """

    def __init__(self, model: Model) -> None:
        self.model = model
        self.name = model.name

    @cached_property
    def _backbone(self) -> Backbone:
        return Backbone(self.model, [LOGITS], self._trace)

    @cached_property
    def _trace(self) -> Trace:
        return trace(self.model)

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the network's classes, where they are known."""
        return self.model.classes

    @cached_property
    def class_count(self) -> int:
        """How many classes the network tells apart; FeatvizError where it hands out no numbers for classes."""
        return self._trace.resolve(LOGITS).channels or 0

    @torch.no_grad()
    def logits(self, pictures: Tensor) -> Tensor:
        """One number for each class, before the softmax, (N, classes), for pictures (N, C, H, W) in [0, 1]."""
        backbone = self._backbone.to(pictures.device)
        batches = torch.split(pictures, BATCH)
        return torch.cat([backbone(fitted(batch, self.model))[LOGITS].flatten(1).float() for batch in batches]).cpu()


def fitted(pictures: Tensor, model: Model) -> Tensor:
    """Pictures (N, C, H, W) in [0, 1] as a network takes them, (N, channels, size, size), before its normalization.

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
    if pictures.shape[2:] == (model.size, model.size):
        return pictures
    size = (model.size, model.size)
    return F.interpolate(pictures, size, mode="bilinear", antialias=True, align_corners=False)


def check_channels(channels: int, model: Model) -> None:
    """Raise FeatvizError where a network cannot be shown pictures of so many channels."""
    if channels != model.in_channels and {channels, model.in_channels} != {1, 3}:
        what = f"{model.name} takes pictures of {model.in_channels} channels, but these have {channels}"
        raise FeatvizError(what, setting="evidence.judges", got=model.name)
