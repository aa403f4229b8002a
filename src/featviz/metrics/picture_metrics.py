"""Metrics of a finished picture, as saved: does it hold when it is moved, is it this filter's alone, is it noise?

The definitions, with formulas, are in docs/evidence.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import nan
from typing import cast

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from featviz.errors import FeatvizError
from featviz.metrics.judges import Judge, check_channels
from featviz.metrics.reference_noise import ReferenceNoise
from featviz.metrics.robustness import perturbed_activations
from featviz.metrics.spectrum import share_of_high_frequencies, spectrum_slope
from featviz.metrics.transfer import class_numbers, transfer
from featviz.models.backbone import Backbone
from featviz.objectives import Channel, Logit, Objective
from featviz.results.rows import MetricColumns

MAX_SIZE = 320  # px: larger pictures are measured at this size


class PictureMetrics:
    """Computes the metrics of a run's pictures.

    Args:
        judges: other networks, each of which says whether it sees a class in the class's picture.
    """

    def __init__(self, judges: Sequence[Judge] = ()) -> None:
        self._judges = list(judges)
        self._noise = ReferenceNoise()

    def check(self, objective: Objective, backbone: Backbone, numbers: Sequence[int]) -> None:
        """Raise FeatvizError for judges of pictures that they cannot judge: ``numbers`` are the units' of the run."""
        names = [judge.name for judge in self._judges]
        if twice := next((name for name in names if names.count(name) > 1), None):
            what = f"evidence.judges has {twice} twice"
            raise FeatvizError(what, setting="evidence.judges", got=names, expected="each network once")
        if names and not isinstance(objective, Logit):
            raise FeatvizError(
                f"evidence.judges needs pictures of classes, but the objective is {objective}; "
                "expected objective=logit, or evidence.judges=[]",
                setting="evidence.judges",
                got=names,
            )
        for judge in self._judges:
            check_channels(backbone.model.in_channels, judge.model)
            class_numbers(judge, backbone.model, numbers, backbone.layers[objective.layers[0]].channels or 0)

    @torch.no_grad()
    def of(self, backbone: Backbone, objective: Objective, pictures: Tensor) -> list[MetricColumns]:
        """The metrics of pictures (N, C, H, W) in [0, 1] of an objective, for each one; nan where there is none."""
        finite = pictures.isfinite().flatten(1).all(1)
        whole = torch.where(finite.view(-1, 1, 1, 1), pictures, 0.5).to(backbone.mean.device)
        shrunk = _shrunk(whole)
        maps = backbone(shrunk)
        activations = objective.activation(maps).float().cpu()
        robust = perturbed_activations(backbone, objective, shrunk)
        selectivity, rank = self._selectivity(backbone, objective, maps, shrunk.shape[-1])
        transfer = self._transfer(backbone, objective, whole)
        rows = []
        for at, picture in enumerate(pictures):
            usable, activation = bool(finite[at] and activations[at].isfinite()), activations[at].item()
            array = picture.permute(1, 2, 0).cpu().numpy().astype(np.float64)
            row = MetricColumns(
                robustness=robust[at] / activation if usable and activation > 0 else nan,
                selectivity=selectivity[at] if usable else nan,
                selectivity_rank=rank[at] if usable else nan,
                high_frequency=share_of_high_frequencies(array) if usable else nan,
                spectrum_slope=spectrum_slope(array) if usable else nan,
            )
            judged = {name: values[at] if usable else nan for name, values in transfer.items()}
            rows.append(cast(MetricColumns, row | judged))
        return rows

    def _selectivity(
        self, backbone: Backbone, objective: Objective, maps: Mapping[str, Tensor], size: int
    ) -> tuple[list[float], list[float]]:
        """For pictures of single filters: the own filter against all of the layer's, and its rank from 1."""
        count = len(next(iter(maps.values())))
        if not isinstance(objective, Channel):
            return [nan] * count, [nan] * count
        scores = self._noise.standardized(backbone, objective.layer, maps, size)
        filters = torch.tensor(list(objective.filters)).expand(count)
        own = scores[torch.arange(count), filters]
        others = (scores.sum(1) - own) / max(scores.shape[1] - 1, 1)
        rank = (scores > own[:, None]).sum(1) + 1
        return (own - others).tolist(), rank.double().tolist()

    @torch.no_grad()
    def responses(self, backbone: Backbone, layer: str, pictures: Tensor) -> Tensor:
        """Activations of all filters of a layer for pictures (N, C, H, W), standardized: (N, filters)."""
        shrunk = _shrunk(pictures.to(backbone.mean.device))
        return self._noise.standardized(backbone, layer, backbone(shrunk), shrunk.shape[-1])

    def _transfer(self, backbone: Backbone, objective: Objective, pictures: Tensor) -> dict[str, list[float]]:
        """What each judge says of each picture's class, by column; empty without judges."""
        columns: dict[str, list[float]] = {}
        for judge in self._judges:
            assert isinstance(objective, Logit)
            filters = list(objective.filters) * (len(pictures) if len(objective.filters) == 1 else 1)
            count = backbone.layers[objective.layer].channels or 0
            found = transfer(judge.logits(pictures), class_numbers(judge, backbone.model, filters, count))
            columns |= {f"transfer_{judge.name}{name}": values for name, values in found.items()}
        return columns


def _shrunk(pictures: Tensor) -> Tensor:
    if pictures.shape[-1] <= MAX_SIZE:
        return pictures
    size = (MAX_SIZE, MAX_SIZE)
    return F.interpolate(pictures, size, mode="bilinear", antialias=True, align_corners=False)
