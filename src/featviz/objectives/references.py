"""Photos that pictures are compared with."""

from __future__ import annotations

import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from featviz.errors import FeatvizError
from featviz.objectives.base import photo_key
from featviz.photos.files import load_photo, readable_photos
from featviz.shapes import Shape, Size

if TYPE_CHECKING:
    from featviz.models.backbone import Backbone

#: A file, a folder, or several of either.
Photo = str | Sequence[str]


def photo_files(photo: Photo | None) -> list[Path]:
    """The files of the setting ``objective.photo``."""
    if not photo:
        what = "objective.photo is missing: give it on the command line, objective.photo=FILE"
        raise FeatvizError(what, setting="objective.photo", got=photo)
    several = [photo] if isinstance(photo, str) else photo
    if not isinstance(several, Sequence) or not all(isinstance(path, str) for path in several):
        raise FeatvizError(setting="objective.photo", got=photo, expected="a file, a folder, or a list of them")
    return readable_photos(several)


class References:
    """Photos, one for each picture or one for all, and their feature maps at a layer."""

    def __init__(self, files: Sequence[Path], layer: str) -> None:
        self.files = list(files)
        self.layer = layer
        self.name = ", ".join(map(str, files))
        self._backbone: Backbone | None = None
        self._pictures: Size = 0  # of those that the network has been shown last, px
        self._read: dict[Size, Tensor] = {}  # photos, and feature maps, of the size last asked for
        self._seen: dict[tuple[Size, torch.device], Tensor] = {}

    def prepare(self, backbone: Backbone) -> None:
        """Watch how large the pictures are that the network is shown."""
        self._backbone, self._pictures = backbone, backbone.model.size
        note = weakref.WeakMethod(self._note)  # a network outlives the objectives of its batches

        def hook(_module: Any, inputs: tuple[Tensor, ...]) -> None:
            if method := note():
                method(inputs[0])

        backbone.register_forward_pre_hook(hook)
        self.photos(backbone.model.size)

    def _note(self, pictures: Tensor) -> None:
        self._pictures = Shape(pictures.shape[2:]).size

    def photos(self, size: Size) -> Tensor:
        """The photos, (N or 1, channels, H, W) in [0, 1]."""
        if size not in self._read:
            channels = self._ready().model.in_channels
            self._read = {size: torch.stack([load_photo(file, size, channels) for file in self.files])}
        return self._read[size]

    def maps(self, maps: Mapping[str, Tensor]) -> Tensor:
        """Their feature maps, (N or 1, filters, h, w): transformed as the pictures are, or else unchanged.

        Unchanged photos are seen at the size of the pictures that the network has been shown last.
        """
        transformed = maps.get(photo_key(self.layer, self.name))
        return self._unchanged() if transformed is None else transformed.float()

    @torch.no_grad()
    def _unchanged(self) -> Tensor:
        backbone = self._ready()
        size = self._pictures if backbone.trace.accepts_other_sizes else backbone.trace.size
        key = size, backbone.mean.device
        if key not in self._seen:
            before = self._pictures  # the photos are shown to the network too
            self._seen = {key: backbone(self.photos(size).to(backbone.mean.device))[self.layer].float()}
            self._pictures = before
        return self._seen[key]

    def _ready(self) -> Backbone:
        if self._backbone is None:
            hint = "call prepare(backbone) first"
            raise FeatvizError(f"an objective with photos needs its network: {hint}", setting="objective", hint=hint)
        return self._backbone
