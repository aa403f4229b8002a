"""Which classes units speak for: the gradient of the logits by each unit, on its exemplars."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import forward_ad
from torch.nn.attention import SDPBackend, sdpa_kernel

from featviz.errors import FeatvizError
from featviz.filters import LOGITS
from featviz.metrics.relations.segment import Segment
from featviz.metrics.relations.unit_photos import MOST_PAIRS, PhotoBatch, UnitPhotos, counts, photo_batches
from featviz.models.backbone import Backbone
from featviz.models.output_keys import module_and_key


class ClassGradients:
    """The gradient of all logits by units of a layer, each as if its whole feature map rose by one.

    It is computed forwards, one direction for each unit on each photo, from the layer to the logits: the network up to
    the layer is passed once for each photo.

    Args:
        segment: from the layer to the logits; all that the network makes of a picture has to go through the layer.
    """

    def __init__(self, segment: Segment) -> None:
        self._segment = segment
        self._pairs: tuple[list[int], list[int]] = ([], [])  # rows of photos, and filters
        self._calls = 0
        self._gradients: Tensor | None = None

    def means(self, units: Sequence[int], photos: Sequence[UnitPhotos]) -> Tensor:
        """The mean over each unit's photos, (units, classes); nan for a unit without any."""
        totals = torch.zeros(len(units), self._segment.target.channels or 0, dtype=torch.float64)
        model = self._segment.model
        with self._watched() as backbone:
            for batch in photo_batches(photos, model.size, model.in_channels):
                for rows, places in _pairs(batch):
                    found = self._pass(backbone, batch.pictures, rows, [units[place] for place in places])
                    totals.index_add_(0, torch.tensor(places), found.double().cpu())
        return totals / torch.tensor(counts(photos, len(units)), dtype=torch.float64)[:, None]

    @contextmanager
    def _watched(self) -> Iterator[Backbone]:
        network = self._segment.model.network
        handles = [
            network.get_submodule(module_and_key(layer.name, dict(network.named_modules()))[0]).register_forward_hook(
                hook
            )
            for layer, hook in ((self._segment.source, self._turn), (self._segment.target, self._keep))
        ]
        backbone = Backbone(self._segment.model, [LOGITS], self._segment.traced).to(self._segment.device)
        fast = torch.backends.mha.get_fastpath_enabled()
        torch.backends.mha.set_fastpath_enabled(False)  # which knows no directions
        try:
            with sdpa_kernel(SDPBackend.MATH):
                yield backbone
        finally:
            torch.backends.mha.set_fastpath_enabled(fast)
            for handle in handles:
                handle.remove()
            backbone.cpu().close()

    @torch.no_grad()
    def _pass(self, backbone: Backbone, pictures: Tensor, rows: list[int], filters: list[int]) -> Tensor:
        self._pairs, self._calls, self._gradients = (rows, filters), 0, None
        with forward_ad.dual_level(), warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # of torch's own code, when it is first used
            backbone.outputs(backbone.resized(pictures.to(backbone.mean.device)))
        found = self._kept()
        if found is None or len(found) != len(rows):
            raise FeatvizError("no direction leads from the layer to the logits, picture by picture")
        return found

    def _kept(self) -> Tensor | None:
        return self._gradients

    def _turn(self, _module: nn.Module, _inputs: Any, output: Any) -> Any:
        """Hand on the layer's output once for each pair, with the unit's direction."""
        self._calls += 1
        layout = self._segment.source.layout
        if self._calls != self._segment.source.calls or layout is None:
            return None
        rows, filters = self._pairs
        repeated = output.index_select(layout.batch_axis, torch.tensor(rows, device=output.device))
        directions = torch.zeros_like(repeated)
        layout.by_filter(directions)[range(len(rows)), filters] = 1
        return forward_ad.make_dual(repeated, directions)  # type: ignore[no-untyped-call]

    def _keep(self, _module: nn.Module, _inputs: Any, output: Any) -> None:
        if isinstance(output, Tensor):
            self._gradients = forward_ad.unpack_dual(output).tangent  # type: ignore[no-untyped-call]


def _pairs(batch: PhotoBatch) -> Iterator[tuple[list[int], list[int]]]:
    """Rows of photos, and the places of the units that they are shown for, so many at a time."""
    pairs = [(row, place) for row, places in enumerate(batch.units) for place in places]
    for first in range(0, len(pairs), MOST_PAIRS):
        some = pairs[first : first + MOST_PAIRS]
        yield [row for row, _ in some], [place for _, place in some]
