"""Metrics of a finished picture, as saved: does it hold when it is moved, is it this filter's alone, is it noise?

The definitions, with formulas, are in docs/evidence.md.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from math import nan
from pathlib import Path
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from featviz.errors import FeatvizError
from featviz.metrics.judges import Judge, check_channels
from featviz.metrics.photo_metrics import PhotoMetrics
from featviz.metrics.robustness import perturbed_activations
from featviz.metrics.spectrum import BANDS, band_shares, natural_shares, spectrum_slope
from featviz.metrics.transfer import class_numbers, transfer
from featviz.models.backbone import Backbone
from featviz.models.frames import resized
from featviz.models.reference_noise import standardized
from featviz.objectives import Logit, Objective, subject
from featviz.photos.exemplar_folder import ExemplarFolder
from featviz.reading import check_exemplars, expanded
from featviz.results.rows import MetricColumns
from featviz.shapes import Shape, Size

log = logging.getLogger(__name__)

MAX_SIZE = 320  # px: larger pictures are measured at this size


class PictureMetrics:
    """Computes the metrics of a run's pictures.

    Args:
        judges: other networks, which are asked what they see in the pictures.
        exemplars: the folder of a run of task=exemplars, with whose photos pictures of filters are compared.
    """

    def __init__(self, judges: Sequence[Judge] = (), exemplars: str | Path | None = None) -> None:
        if exemplars:
            check_exemplars("evidence.exemplars", expanded(exemplars))
        self._judges = list(judges)
        self._photos = PhotoMetrics(ExemplarFolder(exemplars), self._judges) if exemplars else None

    def check(self, objective: Objective, backbone: Backbone, numbers: Sequence[int]) -> None:
        """Raise FeatvizError for judges of pictures that they cannot judge: ``numbers`` are the units' of the run."""
        names = [judge.name for judge in self._judges]
        if twice := next((name for name in names if names.count(name) > 1), None):
            what = f"evidence.judges has {twice} twice"
            raise FeatvizError(what, setting="evidence.judges", got=names, expected="each network once")
        layer = objective.layers[0]
        for judge in self._judges:
            check_channels(backbone.model.in_channels, judge.model)
            if isinstance(subject(objective), Logit):
                class_numbers(judge, backbone.model, numbers, backbone.layers[layer].channels or 0)
        if self._photos:
            self._photos.check(backbone, layer, numbers)
        elif names and not isinstance(subject(objective), Logit):
            log.warning("%s: judges say something of filters only beside photos (exemplars=FOLDER)", objective)

    @torch.no_grad()
    def of(self, backbone: Backbone, objective: Objective, pictures: Tensor) -> list[MetricColumns]:
        """The metrics of pictures (N, C, H, W) in [0, 1] of an objective, for each one; nan where there is none."""
        finite = pictures.isfinite().flatten(1).all(1)
        shrunk = _shrunk(
            torch.where(finite.view(-1, *[1] * (pictures.ndim - 1)), pictures, 0.5).to(backbone.mean.device)
        )
        maps = backbone(shrunk)
        activations = objective.activation(maps).float().cpu()
        robust, selectivity, rank = self._of_colors(backbone, objective, shrunk, maps)
        further = self._transfer(backbone, objective, shrunk)
        if self._photos:
            further |= self._photos.columns(backbone, objective, shrunk)
        rows = []
        for at, picture in enumerate(pictures):
            usable, activation = bool(finite[at] and activations[at].isfinite()), activations[at].item()
            row = {
                "robustness": robust[at] / activation if activation > 0 else nan,
                "selectivity": selectivity[at],
                "selectivity_rank": rank[at],
                **self._spectral(picture.flatten(0, -3).permute(1, 2, 0).cpu().numpy().astype(np.float64)),
                **{name: values[at] for name, values in further.items()},
            }
            rows.append(cast(MetricColumns, row if usable else dict.fromkeys(row, nan)))
        return rows

    def _of_colors(
        self, backbone: Backbone, objective: Objective, pictures: Tensor, maps: Mapping[str, Tensor]
    ) -> tuple[list[float], list[float], list[float]]:
        """Activations under perturbations, selectivities and ranks; nan where values have no bounds, as colors have."""
        if not backbone.model.bounded:
            nothing = [nan] * len(pictures)
            return nothing, nothing, nothing
        robust = perturbed_activations(backbone, objective, pictures)
        return robust, *self._selectivity(backbone, objective, maps, Shape(pictures.shape[2:]).size)

    def _spectral(self, picture: NDArray[np.float64]) -> dict[str, float]:
        """What a picture's spectrum is like (H, W, C), also beside photos'; frames of films count as channels."""
        height, width, channels = picture.shape
        shares = band_shares(picture)
        beside_photos = self._photos.shares((height, width), channels) if self._photos else None
        usual = beside_photos or natural_shares(height, width)
        bands = zip(BANDS, shares, usual, strict=True)
        excess = {f"excess_{low}_{high}": share / expected for (low, high), share, expected in bands}
        return {"high_frequency": shares[0], "spectrum_slope": spectrum_slope(picture), **excess}

    def _selectivity(
        self, backbone: Backbone, objective: Objective, maps: Mapping[str, Tensor], size: Size
    ) -> tuple[list[float], list[float]]:
        """For pictures of single filters: the own filter against all of the layer's, and its rank from 1."""
        count = len(next(iter(maps.values())))
        unit = subject(objective)
        if unit is None:
            return [nan] * count, [nan] * count
        scores = standardized(backbone, unit.layer, maps, size)
        filters = torch.tensor(list(unit.filters)).expand(count)
        own = scores[torch.arange(count), filters]
        others = (scores.sum(1) - own) / max(scores.shape[1] - 1, 1)
        rank = (scores > own[:, None]).sum(1) + 1
        return (own - others).tolist(), rank.double().tolist()

    @torch.no_grad()
    def responses(self, backbone: Backbone, layer: str, pictures: Tensor) -> Tensor:
        """Activations of all filters of a layer for pictures (N, C, H, W), standardized: (N, filters)."""
        shrunk = _shrunk(pictures.to(backbone.mean.device))
        return standardized(backbone, layer, backbone(shrunk), Shape(shrunk.shape[2:]).size)

    def _transfer(self, backbone: Backbone, objective: Objective, pictures: Tensor) -> dict[str, list[float]]:
        """What each judge says of each picture's class, by column; none without judges, or for other pictures."""
        columns: dict[str, list[float]] = {}
        unit = subject(objective)
        if not isinstance(unit, Logit):
            return columns
        for judge in self._judges:
            filters = list(unit.filters) * (len(pictures) if len(unit.filters) == 1 else 1)
            count = backbone.layers[unit.layer].channels or 0
            found = transfer(
                judge.to(pictures.device).logits(pictures), class_numbers(judge, backbone.model, filters, count)
            )
            columns |= {f"transfer_{judge.name}{name}": values for name, values in found.items()}
        return columns


def _shrunk(pictures: Tensor) -> Tensor:
    shape = Shape(pictures.shape[2:])
    return pictures if shape.side <= MAX_SIZE else resized(pictures, shape.with_side(MAX_SIZE), antialias=True)
