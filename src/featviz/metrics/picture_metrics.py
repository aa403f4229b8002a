"""Metrics of a finished picture, as saved: does it hold when it is moved, is it this filter's alone, is it noise?

The definitions, with formulas, are in docs/evidence.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import nan

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from featviz.errors import FeatvizError
from featviz.metrics.reference_noise import ReferenceNoise
from featviz.metrics.robustness import perturbed_activations
from featviz.metrics.spectrum import share_of_high_frequencies, spectrum_slope
from featviz.models.backbone import Backbone
from featviz.models.model import Model
from featviz.objectives import Channel, Logit, Objective
from featviz.results.rows import MetricColumns

MAX_SIZE = 320  # px: larger pictures are measured at this size


class PictureMetrics:
    """Computes the metrics of a run's pictures.

    Args:
        transfer_model: a second network, which judges pictures of classes by its own class of the same number.
    """

    def __init__(self, transfer_model: Model | None = None) -> None:
        self._transfer_model = transfer_model
        self._noise = ReferenceNoise()

    def check(self, objective: Objective) -> None:
        """Raise FeatvizError for a second network where pictures are not of classes."""
        if self._transfer_model and not isinstance(objective, Logit):
            raise FeatvizError(
                f"evidence.transfer_model needs pictures of classes, but the objective is {objective}; "
                "expected objective=logit, or evidence.transfer_model=null",
                setting="evidence.transfer_model",
                got=self._transfer_model.name,
            )

    @torch.no_grad()
    def of(self, backbone: Backbone, objective: Objective, pictures: Tensor) -> list[MetricColumns]:
        """The metrics of pictures (N, C, H, W) in [0, 1] of an objective, for each one; nan where there is none."""
        finite = pictures.isfinite().flatten(1).all(1)
        shrunk = _shrunk(torch.where(finite.view(-1, 1, 1, 1), pictures, 0.5).to(backbone.mean.device))
        maps = backbone(shrunk)
        activations = objective.activation(maps).float().cpu()
        robust = perturbed_activations(backbone, objective, shrunk)
        selectivity, rank = self._selectivity(backbone, objective, maps, shrunk.shape[-1])
        transfer = self._transfer(objective, shrunk)
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
            if transfer:
                row["transfer"] = transfer[at] if usable else nan
            rows.append(row)
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

    def _transfer(self, objective: Objective, pictures: Tensor) -> list[float]:
        """The second network's probability of each picture's class; empty without one."""
        if not self._transfer_model:
            return []
        assert isinstance(objective, Logit)
        other = Backbone(self._transfer_model, [objective.layer])
        logits = other(other.resized(pictures.cpu()))[objective.layer].flatten(1).float()
        other.close()
        filters = torch.tensor(list(objective.filters)).expand(len(pictures))
        shares: list[float] = logits.softmax(1)[torch.arange(len(pictures)), filters].tolist()
        return shares


def _shrunk(pictures: Tensor) -> Tensor:
    if pictures.shape[-1] <= MAX_SIZE:
        return pictures
    size = (MAX_SIZE, MAX_SIZE)
    return F.interpolate(pictures, size, mode="bilinear", antialias=True, align_corners=False)
