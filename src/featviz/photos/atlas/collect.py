"""One pass over photos that keeps the points of an atlas."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from featviz.errors import FeatvizError
from featviz.models.backbone import Backbone
from featviz.photos.atlas.points import PointCollector, Points
from featviz.photos.saved_pass import SavedPass
from featviz.photos.stream import Batch, PhotoStream


@dataclass(frozen=True)
class Collected:
    """The outcome of a pass: ``points`` {layer: Points}, ``skipped`` {file: reason}, photos that were ``enlarged``."""

    points: dict[str, Points]
    skipped: dict[Path, str]
    enlarged: int


def collect_points(
    backbone: Backbone,
    collector: PointCollector,
    logits: str | None,
    stream: PhotoStream,
    batches: Iterable[Batch],
    saved: SavedPass | None = None,
) -> Collected:
    """Show photos once to a network and keep what its layers answer with at drawn positions.

    Args:
        backbone: the network up to the layers, and to the logits where these are wanted.
        collector: draws the positions and keeps the vectors.
        logits: the layer whose outputs are classes; None for none.
        stream: the photos.
        batches: what is iterated over: the stream, or a progress bar around it.
        saved: where the state of the pass is saved; an earlier pass goes on from there, to the same points.

    Raises:
        FeatvizError: no photo could be used.
    """
    unusable: dict[Path, str] = {}
    if saved and (state := saved.load()):
        _go_on(state, collector, stream, unusable)
    for batch in batches:
        _take_in(batch, backbone, collector, logits, stream.files, unusable)
        if saved and saved.is_due():
            saved.write(_state(batch.numbers[-1] + 1, collector, stream, unusable))
    skipped = {file: why for file in stream.files if (why := stream.skipped.get(file) or unusable.get(file))}
    if len(skipped) == len(stream.files):
        what = f"none of {len(skipped)} photos can be used; the first: {next(iter(skipped.values()))}"
        raise FeatvizError(what, setting="data")
    if saved:  # so that a kill later on does not cost the pass
        saved.write(_state(len(stream.files), collector, stream, unusable))
    return Collected(collector.points(stream.files), skipped, stream.enlarged)


@torch.no_grad()
def _take_in(
    batch: Batch,
    backbone: Backbone,
    collector: PointCollector,
    logits: str | None,
    files: Sequence[Path],
    unusable: dict[Path, str],
) -> None:
    """Show a batch to the network; photos with activations that are not finite are left out, and noted."""
    count = len(batch.numbers)
    maps = {layer: each[:count] for layer, each in backbone(batch.pictures.to(backbone.mean.device)).items()}
    finite = torch.stack([each.flatten(1).isfinite().all(1) for each in maps.values()]).all(0).cpu()
    for place in (~finite).nonzero().flatten().tolist():
        file = files[batch.numbers[place]]
        unusable[file] = f"photo {file} gives activations that are not finite"
    places = finite.nonzero().flatten().tolist()
    if not places:
        return
    usable = {layer: each[places] for layer, each in maps.items()}
    numbers = [batch.numbers[place] for place in places]
    classes = usable[logits].flatten(1) if logits else None
    collector.add(numbers, batch.pictures[:count][places], usable, classes)


def _state(done: int, collector: PointCollector, stream: PhotoStream, unusable: dict[Path, str]) -> dict[str, Any]:
    """A pass of which ``done`` files have been looked at, as plain values and tensors."""
    numbers = {file: number for number, file in enumerate(stream.files[:done])} if stream.skipped or unusable else {}
    skipped, unfit = (
        {numbers[file]: why for file, why in each.items() if file in numbers} for each in (stream.skipped, unusable)
    )
    kept = collector.state()
    return {"done": done, "kept": kept, "skipped": skipped, "unusable": unfit, "enlarged": stream.enlarged}


def _go_on(state: dict[str, Any], collector: PointCollector, stream: PhotoStream, unusable: dict[Path, str]) -> None:
    collector.load_state(state["kept"])
    unusable.update({stream.files[number]: why for number, why in state["unusable"].items()})
    stream.go_on(state["done"], state["skipped"], state["enlarged"])
