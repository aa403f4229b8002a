"""What layers make of pictures and of photos, in two figures for each filter."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor

from featviz.models.backbone import Backbone
from featviz.photos.exemplars import FIGURES
from featviz.photos.files import load_photo
from featviz.shapes import Size

BATCH = 16  # pictures shown to a network at the same time

#: Figures of feature maps, {layer: (N, figures, filters)} in the order of ``FIGURES``: their means, their maxima.
Responses = dict[str, Tensor]
MEAN = FIGURES.index("mean")


@torch.no_grad()
def responses(backbone: Backbone, pictures: Tensor) -> Responses:
    """The figures of a backbone's layers for pictures (N, C, H, W) in [0, 1], on the CPU."""
    found: dict[str, list[Tensor]] = {name: [] for name in backbone.layers}
    for batch in torch.split(pictures, BATCH):
        for name, maps in backbone(batch.to(backbone.mean.device)).items():
            flat = maps.float().flatten(2)
            found[name].append(torch.stack([flat.mean(2), flat.amax(2)], 1).cpu())
    return {name: torch.cat(parts) for name, parts in found.items()}


class PhotoResponses:
    """The figures of photos, each of which is read and shown to the network once.

    Args:
        respond: pictures (N, C, H, W) in [0, 1] to their figures.
        size: of the photos, in px; they are resized so that they cover it, and the center is cut out.
        channels: of the photos.
    """

    def __init__(self, respond: Callable[[Tensor], Responses], size: Size, channels: int) -> None:
        self._respond, self.size, self.channels = respond, size, channels
        self._known: dict[Path, Responses] = {}

    def __call__(self, files: Sequence[Path]) -> Responses:
        """The figures of photos, in their order."""
        new = [file for file in dict.fromkeys(files) if file not in self._known]
        for at in range(0, len(new), BATCH):
            self._show(new[at : at + BATCH])
        layers = list(self._known[files[0]]) if files else []
        return {layer: torch.stack([self._known[file][layer] for file in files]) for layer in layers}

    def _show(self, files: Sequence[Path]) -> None:
        found = self._respond(torch.stack([load_photo(file, self.size, self.channels) for file in files]))
        for at, file in enumerate(files):
            self._known[file] = {layer: figures[at].clone() for layer, figures in found.items()}
