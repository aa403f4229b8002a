"""Which photos show a class, to the network: those whose largest output it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import torch

from featviz.errors import FeatvizError
from featviz.filters import LOGITS
from featviz.models.backbone import Backbone
from featviz.photos.stream import Batch, PhotoStream


@torch.no_grad()
def photos_of_classes(
    backbone: Backbone, stream: PhotoStream, batches: Iterable[Batch], classes: Mapping[int, str]
) -> dict[int, list[Path]]:
    """The photos of each of several classes, {number: files}.

    It is the network that is to be explained, so that its own answer counts, as in CRAFT (Fel et al. 2023), and not the
    name of a folder.

    Args:
        backbone: the network up to its logits.
        stream: the photos.
        batches: what is iterated over: the stream, or a progress bar around it.
        classes: names by number.

    Raises:
        FeatvizError: no photo is of one of them.
    """
    found: dict[int, list[Path]] = {number: [] for number in classes}
    likely: dict[int, int] = {}
    for batch in batches:
        logits = backbone(batch.pictures.to(backbone.mean.device))[LOGITS].flatten(2).mean(2)
        for number, largest in zip(batch.numbers, logits.argmax(1).tolist(), strict=False):  # gray ones fill it up
            likely[largest] = likely.get(largest, 0) + 1
            if largest in found:
                found[largest].append(stream.files[number])
    for number, files in found.items():
        if not files:
            told = _most_likely(likely)
            what = f"none of {sum(likely.values())} photos is {classes[number]} to the network; most are {told}"
            raise FeatvizError(what, setting="classes", got=classes[number])
    return found


def _most_likely(counts: Mapping[int, int]) -> str:
    """The classes of the most photos, by number."""
    most: Sequence[int] = sorted(counts, key=lambda number: (-counts[number], number))[:3]
    return ", ".join(map(str, most)) or "none"
