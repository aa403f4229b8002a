"""One pass of photos through a network, which finds the strongest of each filter and gathers the statistics."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from featviz.errors import FeatvizError
from featviz.models.backbone import Backbone
from featviz.models.receptive_field import ReceptiveField
from featviz.photos.exemplars import (
    FIGURES,
    PERCENTILES,
    ActivationStatistics,
    Exemplar,
    Exemplars,
    Histogram,
    box_in_photo,
    center_in_photo,
)
from featviz.photos.layer_relations import LayerRelations
from featviz.photos.sample import PhotoSample
from featviz.photos.saved_pass import SavedPass, State
from featviz.photos.statistics import StreamingMoments, StreamingQuantiles, TopK
from featviz.photos.stream import Batch, PhotoStream
from featviz.shapes import Size

BINS = 40  # of histograms
GOLDEN = (5**0.5 - 1) / 2  # multiples of it, without their whole part, are spread evenly: Weyl 1916


class LayerFigures:
    """The figures of one layer's filters, over the photos so far, and what they tell of how filters relate."""

    def __init__(self, filters: Sequence[int], k: int, relations: LayerRelations | None = None) -> None:
        self.filters = list(filters)
        self.relations = relations
        self.columns = 1  # of its feature maps
        self.strongest, self.weakest = TopK(k), TopK(k, ties="draw")
        self.moments = {figure: StreamingMoments(len(self.filters)) for figure in FIGURES}
        self.quantiles = {figure: StreamingQuantiles(len(self.filters)) for figure in FIGURES}

    def figures(self, maps: Tensor) -> dict[str, Tensor]:
        """Each figure of feature maps (N, filters, h, w), and the strongest position's place: (N, F), on the CPU."""
        self.columns = maps.shape[3]
        flat = maps[:, self.filters].float().flatten(2)
        largest, place = flat.max(2)
        return {"mean": flat.mean(2).cpu(), "max": largest.cpu(), "place": place.cpu()}

    def update(
        self,
        maps: Tensor,
        figures: Mapping[str, Tensor],
        by: str,
        photos: Mapping[str, Tensor],
        sampled: Sequence[int] = (),
    ) -> None:
        """Take in feature maps, their figures (N, F), numbers (N,) of the photos, and the places of those to sample."""
        widened = {name: numbers[:, None].expand(-1, len(self.filters)) for name, numbers in photos.items()}
        before = self.strongest.count
        places = self.strongest.update(figures[by], {**figures, **widened})
        if self.relations:
            flat = maps.float().flatten(2)
            of_all = (flat.mean(2) if by == "mean" else flat.amax(2)).cpu()
            self.relations.update(maps, of_all, places, before, sampled)
        self.weakest.update(-figures[by], {**figures, **widened})
        for figure in FIGURES:
            self.moments[figure].update(figures[figure])
            self.quantiles[figure].update(figures[figure])

    def statistics(self, layer: str) -> Iterable[ActivationStatistics]:
        """The statistics of one filter after the other, one for each figure."""
        shares = {figure: self.quantiles[figure].at([p / 100 for p in PERCENTILES]).tolist() for figure in FIGURES}
        for at, number in enumerate(self.filters):
            for figure in FIGURES:
                moments = self.moments[figure]
                percentiles = [moments.min[at].item(), *shares[figure][at][1:-1], moments.max[at].item()]
                mean, std = moments.mean[at].item(), moments.std[at].item()
                yield ActivationStatistics(layer, number, figure, moments.count, mean, std, percentiles)

    def histograms(self, layer: str) -> Iterable[Histogram]:
        """The histograms of one filter after the other, one for each figure."""
        lows, highs = ({figure: getattr(self.moments[figure], end) for figure in FIGURES} for end in ("min", "max"))
        counts = {figure: self.quantiles[figure].histogram(lows[figure], highs[figure], BINS) for figure in FIGURES}
        for at, number in enumerate(self.filters):
            for figure in FIGURES:
                ends = lows[figure][at].item(), highs[figure][at].item()
                yield Histogram(layer, number, figure, *ends, counts[figure][at].tolist())

    def state(self) -> State:
        """Everything but the filters' numbers, as plain values and tensors."""
        moments = {figure: one.state() for figure, one in self.moments.items()}
        quantiles = {figure: one.state() for figure, one in self.quantiles.items()}
        extremes = {"strongest": self.strongest.state(), "weakest": self.weakest.state()}
        relations = self.relations.state() if self.relations else None
        return {
            "columns": self.columns,
            **extremes,
            "moments": moments,
            "quantiles": quantiles,
            "relations": relations,
        }

    def load_state(self, state: State) -> None:
        """Go on from a ``state``."""
        self.columns = state["columns"]
        self.strongest.load_state(state["strongest"])
        self.weakest.load_state(state["weakest"])
        if self.relations:
            self.relations.load_state(state["relations"])
        for figure in FIGURES:
            self.moments[figure].load_state(state["moments"][figure])
            self.quantiles[figure].load_state(state["quantiles"][figure])

    def exemplars(
        self, extreme: TopK, layer: str, files: Sequence[Path], field: ReceptiveField, size: Size
    ) -> Iterable[Exemplar]:
        """The photos of one filter after the other that are in ``strongest``, or in ``weakest``."""
        known = {name: table.tolist() for name, table in extreme.known.items()}
        for at, number in enumerate(self.filters):
            for rank in range(len(known["photo"][at])):
                photo = {name: table[at][rank] for name, table in known.items()}
                row, column = divmod(photo["place"], self.columns)
                shape = photo["width"], photo["height"]
                where = field, (row, column), size, shape
                box, center = box_in_photo(*where), center_in_photo(*where)
                figures, file = (photo["mean"], photo["max"]), files[photo["photo"]]
                yield Exemplar(layer, number, rank + 1, *figures, row, column, file, box, shape, center)


def find_exemplars(
    backbone: Backbone,
    filters: Mapping[str, Sequence[int]],
    stream: PhotoStream,
    batches: Iterable[Batch],
    fields: Mapping[str, ReceptiveField],
    k: int = 9,
    by: str = "mean",
    saved: SavedPass | None = None,
    relations: bool = False,
    references: int = 0,
) -> Exemplars:
    """Show photos once to a network, and keep the ``k`` that each of its filters answers to most, and least.

    Args:
        backbone: the network up to the layers.
        filters: numbers {layer: filters}, the layers named as the backbone was asked for them.
        stream: the photos.
        batches: what is iterated over: the stream, or a progress bar around it.
        fields: the layers' receptive fields.
        k: how many photos of each filter; of equal ones the earlier files are kept.
        by: the figure that makes a photo strong: the feature map's ``mean``, or its ``max``.
        saved: where the state of the pass is saved; an earlier pass goes on from there, to the same figures.
        relations: whether to gather how filters relate to each other and to photos.
        references: so many photos, evenly spaced, are taken to stand for all.

    Raises:
        FeatvizError: ``k`` or ``by`` is none, or no photo could be used.
    """
    if k < 1:
        raise FeatvizError(setting="k", got=k, expected="1 or more")
    if by not in FIGURES:
        raise FeatvizError(f"unknown by '{by}'", setting="by", got=by, known=FIGURES)
    gathered = {layer: LayerRelations(layer, numbers) if relations else None for layer, numbers in filters.items()}
    layers = {layer: LayerFigures(numbers, k, gathered[layer]) for layer, numbers in filters.items()}
    sample, unusable = PhotoSample(len(stream.files), references), dict[Path, str]()
    if saved and (state := saved.load()):
        _go_on(state, layers, stream, unusable, sample)
    for batch in batches:
        _take_in(batch, backbone, layers, by, stream.files, unusable, sample)
        if saved and saved.is_due():
            saved.write(_state(batch.numbers[-1] + 1, layers, stream, unusable, sample))
    skipped = {file: why for file in stream.files if (why := stream.skipped.get(file) or unusable.get(file))}
    if len(skipped) == len(stream.files):
        what = f"none of {len(skipped)} photos can be used; the first: {next(iter(skipped.values()))}"
        raise FeatvizError(what, setting="data")
    if saved:  # so that a kill while tables and patches are written does not cost the pass
        saved.write(_state(len(stream.files), layers, stream, unusable, sample))
    return _outcome(layers, stream, skipped, fields, backbone.model.size, sample)


def _outcome(
    layers: Mapping[str, LayerFigures],
    stream: PhotoStream,
    skipped: dict[Path, str],
    fields: Mapping[str, ReceptiveField],
    size: Size,
    sample: PhotoSample,
) -> Exemplars:
    """What the figures of all layers come to."""
    strongest, weakest, files = list[Exemplar](), list[Exemplar](), stream.files
    for layer, own in layers.items():
        strongest += own.exemplars(own.strongest, layer, files, fields[layer], size)
        weakest += own.exemplars(own.weakest, layer, files, fields[layer], size)
    statistics = [one for layer, own in layers.items() for one in own.statistics(layer)]
    relations = {layer: own.relations for layer, own in layers.items() if own.relations}
    references = [files[number] for number in sample.numbers]
    histograms = [one for layer in relations for one in layers[layer].histograms(layer)]
    return Exemplars(strongest, statistics, skipped, stream.enlarged, weakest, relations, references, histograms)


def _state(
    done: int,
    layers: Mapping[str, LayerFigures],
    stream: PhotoStream,
    unusable: Mapping[Path, str],
    sample: PhotoSample,
) -> State:
    """A pass of which ``done`` files have been looked at, as plain values and tensors."""
    numbers = {file: number for number, file in enumerate(stream.files[:done])} if stream.skipped or unusable else {}
    skipped, unfit = (
        {numbers[file]: why for file, why in each.items() if file in numbers} for each in (stream.skipped, unusable)
    )
    of_layers = {layer: own.state() for layer, own in layers.items()}
    left_out = {"skipped": skipped, "unusable": unfit, "enlarged": stream.enlarged}
    return {"done": done, "layers": of_layers, "sample": list(sample.numbers), **left_out}


def _go_on(
    state: State,
    layers: Mapping[str, LayerFigures],
    stream: PhotoStream,
    unusable: dict[Path, str],
    sample: PhotoSample,
) -> None:
    for layer, own in layers.items():
        own.load_state(state["layers"][layer])
    sample.numbers = list(state["sample"])
    unusable.update({stream.files[number]: why for number, why in state["unusable"].items()})
    stream.go_on(state["done"], state["skipped"], state["enlarged"])


@torch.no_grad()
def _take_in(
    batch: Batch,
    backbone: Backbone,
    layers: Mapping[str, LayerFigures],
    by: str,
    files: Sequence[Path],
    unusable: dict[Path, str],
    sample: PhotoSample,
) -> None:
    """Show a batch to the network; photos whose figures are not finite are left out, and noted in ``unusable``."""
    maps = backbone(batch.pictures.to(backbone.mean.device))
    figures = {layer: own.figures(maps[layer][: len(batch.numbers)]) for layer, own in layers.items()}
    finite = torch.stack([f["mean"].isfinite().all(1) & f["max"].isfinite().all(1) for f in figures.values()]).all(0)
    for place in (~finite).nonzero().flatten().tolist():
        file = files[batch.numbers[place]]
        unusable[file] = f"photo {file} gives activations that are not finite"
    widths, heights = torch.tensor(batch.sizes).T
    numbers = torch.tensor(batch.numbers)
    draws = torch.frac(numbers.double() * GOLDEN)
    photos = {"photo": numbers, "width": widths, "height": heights, "draw": draws}
    sampled = sample.take(numbers[finite].tolist())
    for layer, own in layers.items():
        usable = {name: table[finite] for name, table in figures[layer].items()}
        known = {name: of_photos[finite] for name, of_photos in photos.items()}
        whole = maps[layer][: len(finite)]
        own.update(whole if finite.all() else whole[finite.to(whole.device)], usable, by, known, sampled)
