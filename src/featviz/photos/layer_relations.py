"""What a pass over photos gathers of how a layer's filters relate to each other and to photos."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from featviz.photos.correlations import StreamingCorrelations
from featviz.photos.exemplar_maps import ExemplarMaps

log = logging.getLogger(__name__)

MOST_PAIRS = 2**25  # of filters whose correlation is gathered: 256 MB

State = dict[str, Any]


class LayerRelations:
    """Correlations of some of a layer's filters with all of them, their maps of the strongest photos, and a sample."""

    def __init__(self, layer: str, filters: Sequence[int]) -> None:
        self.filters = list(filters)
        self.maps = ExemplarMaps(filters)
        self.correlations: StreamingCorrelations | None = None
        self.sample = torch.empty(0, len(self.filters))  # figures (photos, filters) of photos that stand for all
        self._layer = layer
        self._begun = False

    def update(self, maps: Tensor, values: Tensor, places: Tensor, before: int, sampled: Sequence[int]) -> None:
        """Take in the photos that have come.

        Args:
            maps: their feature maps (N, filters, h, w), of all the layer's filters.
            values: the figure by which photos are strong, (N, filters).
            places: as for :class:`featviz.photos.exemplar_maps.ExemplarMaps`.
            before: likewise.
            sampled: the places, among the photos that have come, of those that stand for all.
        """
        if not self._begun:
            self._begin(values.shape[1])
        if self.correlations:
            self.correlations.update(values)
        if sampled:
            self.sample = torch.cat([self.sample, values[list(sampled)][:, self.filters]])
        if maps.shape[2] * maps.shape[3] > 1:
            self.maps.update(maps, places, before)

    def _begin(self, filters: int) -> None:
        self._begun, pairs = True, len(self.filters) * filters
        if pairs <= MOST_PAIRS:
            self.correlations = StreamingCorrelations(self.filters, filters)
        else:
            what = "%s: no nearest units by activations, of %d pairs of filters; at most %d are compared"
            log.warning(what, self._layer, pairs, MOST_PAIRS)

    def state(self) -> State:
        """Everything but the filters' numbers, as plain values and tensors."""
        correlations = self.correlations.state() if self.correlations else None
        gathered = {"maps": self.maps.state(), "correlations": correlations, "sample": self.sample}
        return {**gathered, "begun": self._begun}

    def load_state(self, state: State) -> None:
        """Go on from a ``state``."""
        self.maps.load_state(state["maps"])
        self.sample, self._begun = state["sample"], state["begun"]
        if state["correlations"]:
            self.correlations = StreamingCorrelations(self.filters, 0)
            self.correlations.load_state(state["correlations"])
