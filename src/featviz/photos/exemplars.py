"""The real photos that filters answer to most, and how their answers are spread over all photos."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from featviz.errors import FeatvizError, nearest
from featviz.models.backbone import Backbone
from featviz.models.receptive_field import ReceptiveField
from featviz.photos.files import read_photo, seen_square
from featviz.photos.statistics import StreamingMoments, StreamingQuantiles, TopK
from featviz.photos.stream import Batch, PhotoStream

FIGURES = ("mean", "max")  # of a feature map: its spatial mean, and its strongest single position
PERCENTILES = tuple(range(101))

Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class Exemplar:
    """A photo that is among the strongest of a filter; ``box`` is what the strongest position sees, in the photo's px.

    ``mean`` and ``max`` are figures of its feature map, of which (row, column) is the strongest position.
    """

    layer: str
    filter: int
    rank: int
    mean: float
    max: float
    row: int
    column: int
    photo: Path
    box: Box

    def patch(self, photo: Image.Image | None = None) -> Image.Image:
        """What the strongest position sees, cut from the photo, which is read if it is not given."""
        return (photo or read_photo(self.photo)).crop(self.box)


@dataclass(frozen=True)
class ActivationStatistics:
    """How one figure of a filter is spread over the photos; ``percentiles`` are those from 0 to 100."""

    layer: str
    filter: int
    figure: str
    photos: int
    mean: float
    std: float
    percentiles: list[float]


@dataclass
class Exemplars:
    """What a pass over photos has found; ``skipped`` {file: why}, ``enlarged`` photos smaller than the input."""

    strongest: list[Exemplar]
    statistics: list[ActivationStatistics]
    skipped: dict[Path, str] = field(default_factory=dict)
    enlarged: int = 0


class _Gathered:
    """One layer's figures, over the photos seen so far."""

    def __init__(self, filters: Sequence[int], k: int) -> None:
        self.filters = list(filters)
        self.columns = 1  # of its feature maps
        self.strongest = TopK(k)
        self.moments = {figure: StreamingMoments(len(self.filters)) for figure in FIGURES}
        self.quantiles = {figure: StreamingQuantiles(len(self.filters)) for figure in FIGURES}

    def figures(self, maps: Tensor) -> dict[str, Tensor]:
        """Each figure of feature maps (N, filters, h, w), and the strongest position's place: (N, F), on the CPU."""
        self.columns = maps.shape[3]
        flat = maps[:, self.filters].float().flatten(2)
        most, place = flat.max(2)
        return {"mean": flat.mean(2).cpu(), "max": most.cpu(), "place": place.cpu()}

    def update(self, figures: Mapping[str, Tensor], by: str, photos: Mapping[str, Tensor]) -> None:
        """Take in figures (N, F), and numbers (N,) that belong to the photos."""
        widened = {name: numbers[:, None].expand(-1, len(self.filters)) for name, numbers in photos.items()}
        self.strongest.update(figures[by], {**figures, **widened})
        for figure in FIGURES:
            self.moments[figure].update(figures[figure])
            self.quantiles[figure].update(figures[figure])

    def statistics(self, layer: str) -> Iterable[ActivationStatistics]:
        """A filter's figures one after the other."""
        shares = {figure: self.quantiles[figure].at([p / 100 for p in PERCENTILES]).tolist() for figure in FIGURES}
        for at, number in enumerate(self.filters):
            for figure in FIGURES:
                moments = self.moments[figure]
                percentiles = [moments.min[at].item(), *shares[figure][at][1:-1], moments.max[at].item()]
                mean, std = moments.mean[at].item(), moments.std[at].item()
                yield ActivationStatistics(layer, number, figure, moments.count, mean, std, percentiles)

    def exemplars(self, layer: str, files: Sequence[Path], seen: ReceptiveField, size: int) -> Iterable[Exemplar]:
        """The strongest photos of one filter after the other."""
        known = {name: table.tolist() for name, table in self.strongest.known.items()}
        for at, number in enumerate(self.filters):
            for rank in range(len(known["photo"][at])):
                one = {name: table[at][rank] for name, table in known.items()}
                row, column = divmod(one["place"], self.columns)
                box = box_in_photo(seen, (row, column), size, (one["width"], one["height"]))
                photo = files[one["photo"]]
                yield Exemplar(layer, number, rank + 1, one["mean"], one["max"], row, column, photo, box)


def find_exemplars(
    backbone: Backbone,
    filters: Mapping[str, Sequence[int]],
    stream: PhotoStream,
    batches: Iterable[Batch],
    fields: Mapping[str, ReceptiveField],
    k: int = 9,
    by: str = "mean",
) -> Exemplars:
    """Show photos once to a network, and keep the ``k`` that each of its filters answers to most.

    Args:
        backbone: the network up to the layers.
        filters: numbers {layer: filters}, the layers named as the backbone was asked for them.
        stream: the photos.
        batches: what is iterated over: the stream, or a progress bar around it.
        fields: the layers' receptive fields.
        k: how many photos of each filter; of equal ones the earlier files are kept.
        by: the figure that makes a photo strong: the feature map's ``mean``, or its ``max``.

    Raises:
        FeatvizError: ``k`` or ``by`` is none, or no photo could be used.
    """
    if k < 1:
        raise FeatvizError(f"k is {k}; expected 1 or more")
    if by not in FIGURES:
        raise FeatvizError(f"unknown by '{by}'; {nearest(by, FIGURES)}")
    gathered = {layer: _Gathered(numbers, k) for layer, numbers in filters.items()}
    unusable: dict[Path, str] = {}
    for batch in batches:
        _take_in(batch, backbone, gathered, by, stream.files, unusable)
    skipped = {file: why for file in stream.files if (why := stream.skipped.get(file) or unusable.get(file))}
    if len(skipped) == len(stream.files):
        raise FeatvizError(f"none of {len(skipped)} photos can be used; the first: {next(iter(skipped.values()))}")
    size = backbone.model.size
    strongest = [one for layer, g in gathered.items() for one in g.exemplars(layer, stream.files, fields[layer], size)]
    return Exemplars(
        strongest, [s for layer, g in gathered.items() for s in g.statistics(layer)], skipped, stream.enlarged
    )


@torch.inference_mode()
def _take_in(
    batch: Batch,
    backbone: Backbone,
    gathered: Mapping[str, _Gathered],
    by: str,
    files: Sequence[Path],
    unusable: dict[Path, str],
) -> None:
    maps = backbone(batch.pictures.to(backbone.mean.device))
    figures = {layer: g.figures(maps[layer][: len(batch.numbers)]) for layer, g in gathered.items()}
    finite = torch.stack([f["mean"].isfinite().all(1) & f["max"].isfinite().all(1) for f in figures.values()]).all(0)
    for place in (~finite).nonzero().flatten().tolist():
        file = files[batch.numbers[place]]
        unusable[file] = f"photo {file} gives activations that are not finite"
    widths, heights = torch.tensor(batch.sizes).T
    photos = {"photo": torch.tensor(batch.numbers), "width": widths, "height": heights}
    for layer, g in gathered.items():
        kept = {name: table[finite] for name, table in figures[layer].items()}
        g.update(kept, by, {name: numbers[finite] for name, numbers in photos.items()})


def box_in_photo(seen: ReceptiveField, position: tuple[int, int], size: int, photo: tuple[int, int]) -> Box:
    """What a position sees of a photo (width, height) that was shown at ``size`` px: left, top, right, bottom.

    In the photo's own px. It ends at the borders of the square that was shown, and holds one px at least.
    """
    left, top, side = seen_square(*photo)
    scale = side / size
    box = seen.box(*position, size, size)
    first = [math.floor(start + at * scale + 1e-6) for start, at in zip((left, top), box[:2], strict=True)]
    last = [math.ceil(start + at * scale - 1e-6) for start, at in zip((left, top), box[2:], strict=True)]
    return first[0], first[1], max(last[0], first[0] + 1), max(last[1], first[1] + 1)
