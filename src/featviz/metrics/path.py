"""Whether a picture goes through earlier layers as a unit's photos do: Geirhos et al. 2024, arXiv 2306.04719.

In each earlier layer the channels are ranked by their means. Ranks of photos of the same unit are alike, those of
unrelated photos less; a picture that reaches the unit by another path is as unlike its photos as unrelated ones are.
Here the means are standardized over photos first: otherwise some channels are loud for all of them, and ranks hardly
differ.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import inf, nan

import torch
from torch import Tensor
from torch.nn import functional as F

from featviz.metrics.responses import MEAN, PhotoResponses, Responses, responses
from featviz.metrics.standardization import Standardization
from featviz.metrics.subjects import Subjects
from featviz.models.backbone import Backbone
from featviz.models.layers import Layer, Trace
from featviz.models.speed.faster_copy import SpeedOptions
from featviz.photos.exemplar_folder import ExemplarFolder
from featviz.photos.stream import evenly_spaced
from featviz.shapes import Shape, Size

UNRELATED = 32  # photos that stand for those of other units
MOST_LAYERS = 8  # of those before the unit's, evenly spaced
FEWEST_CHANNELS = 8  # of fewer, ranks say little
SAME = ("Identity", "Dropout", "Dropout2d")  # hand on what the layer before has said


def earlier_layers(traced: Trace, layer: str) -> list[str]:
    """Layers with positions that are finished before another begins, evenly spaced, from the first on."""
    times, name = traced.finished, traced.resolve(layer).name
    before = [
        other
        for other, own in traced.layers.items()
        if times.get(other, inf) < times[name] and not other.startswith(f"{name}.") and _has_ranks(own)
    ]
    before.sort(key=lambda other: times[other])
    count = min(MOST_LAYERS, len(before))
    return [before[(at + 1) * len(before) // count - 1] for at in range(count)]


def _has_ranks(layer: Layer) -> bool:
    return (layer.side or 0) > 1 and (layer.channels or 0) >= FEWEST_CHANNELS and layer.type not in SAME


def rank_vectors(means: Tensor) -> Tensor:
    """Channel means (N, channels) as unit vectors whose products are Spearman's rank correlations.

    Equal means share their ranks, as those of many silent channels do.
    """
    smaller = (means[:, None, :] < means[:, :, None]).sum(2)
    not_larger = (means[:, None, :] <= means[:, :, None]).sum(2)
    ranks = (smaller + not_larger).double()
    return F.normalize(ranks - ranks.mean(1, keepdim=True), dim=1)


def path_likeness(picture: Mapping[str, Tensor], top: Mapping[str, Tensor], unrelated: Mapping[str, Tensor]) -> float:
    """How much a picture's way is that of a unit's strongest photos: 1 as theirs among each other, 0 as others'.

    It is nan where these photos have no way of their own: where they are more like each other than unrelated ones are
    by less than the standard deviation of unrelated ones.

    Args:
        picture: rank vectors (channels,) in each layer.
        top: those of the unit's strongest photos, (T, channels).
        unrelated: those of photos that stand for all, (N, channels).
    """
    count = len(next(iter(top.values())))
    among = sum((own @ own.T).sum() - count for own in top.values()) / max(count * (count - 1), 1)
    others = torch.stack([(unrelated[layer] @ own.T).mean(1) for layer, own in top.items()]).sum(0)
    score = sum((own @ picture[layer]).mean() for layer, own in top.items())
    spread = among - others.mean()
    return ((score - others.mean()) / spread).item() if spread > others.std(correction=0) else nan


class PathMetric:
    """The column ``path`` of pictures, beside the photos of a folder."""

    def __init__(self, folder: ExemplarFolder) -> None:
        self._folder = folder
        self._backbones: dict[tuple[int, str], Backbone] = {}
        self._photos: dict[tuple[int, Size], PhotoResponses] = {}

    def columns(self, subjects: Subjects) -> dict[str, list[float]]:
        """One number for each picture; nan for those of a first layer, or of units without photos."""
        backbone = self._backbone(subjects)
        if backbone is None:
            return {"path": [nan] * len(subjects.numbers)}
        photos = self._photos_through(backbone, Shape(subjects.pictures.shape[2:]).size)
        others = photos(evenly_spaced(self._folder.references, UNRELATED))
        scales = {layer: Standardization.of(figures[:, MEAN]) for layer, figures in others.items()}
        pictures, unrelated = _ranks(responses(backbone, subjects.pictures), scales), _ranks(others, scales)
        tops = [_ranks(photos(strongest), scales) for strongest in subjects.strongest]
        return {
            "path": [
                path_likeness({layer: rows[at] for layer, rows in pictures.items()}, top, unrelated) if top else nan
                for at, top in enumerate(tops)
            ]
        }

    def _photos_through(self, backbone: Backbone, size: Size) -> PhotoResponses:
        key = (id(backbone), size)
        if key not in self._photos:
            channels = backbone.model.in_channels
            self._photos[key] = PhotoResponses(lambda photos: responses(backbone, photos), size, channels)
        return self._photos[key]

    def _backbone(self, subjects: Subjects) -> Backbone | None:
        """The network up to the earlier layers; None where there are none."""
        model, traced = subjects.backbone.model, subjects.backbone.trace
        key = (id(model), subjects.layer)
        if key not in self._backbones and (names := earlier_layers(traced, subjects.layer)):
            self._backbones[key] = Backbone(model, names, traced, SpeedOptions())
        return self._backbones[key].to(subjects.backbone.mean.device) if key in self._backbones else None


def _ranks(figures: Responses, scales: Mapping[str, Standardization]) -> dict[str, Tensor]:
    return {layer: rank_vectors(scales[layer](of_layer[:, MEAN])) for layer, of_layer in figures.items()}
