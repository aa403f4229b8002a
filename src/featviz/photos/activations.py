"""What a photo excites: feature maps, the activation of every filter, the strongest ones, the model's classes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from featviz.errors import FeatvizError
from featviz.models.backbone import Backbone
from featviz.models.layers import Trace
from featviz.models.model import Model

BY = ("mean", "max", "zscore")


@dataclass(frozen=True)
class PhotoActivations:
    """The feature maps of a photo: ``maps`` {layer: (filters, h, w)}."""

    maps: dict[str, Tensor]

    def means(self, layer: str) -> Tensor:
        """Spatial mean of each filter, (filters,)."""
        return self.maps[layer].flatten(1).mean(1)

    def maxima(self, layer: str) -> Tensor:
        """Activation of each filter at its strongest position, (filters,)."""
        return self.maps[layer].flatten(1).amax(1)


@dataclass(frozen=True)
class ReferenceStatistics:
    """What filters do on a reference folder: mean and standard deviation of their spatial means, (filters,) each."""

    mean: Tensor
    std: Tensor


class FeatureMapActivator:
    """Runs photos (C, H, W) in [0, 1] through a model, and hands out the feature maps of the layers asked for."""

    def __init__(self, model: Model, layers: Sequence[str], traced: Trace | None = None) -> None:
        self.model = model
        self.backbone = Backbone(model, layers, traced)

    @torch.no_grad()
    def __call__(self, photo: Tensor) -> PhotoActivations:
        """Feature maps of one photo."""
        return PhotoActivations({name: maps[0] for name, maps in self.backbone(photo[None]).items()})

    @torch.no_grad()
    def classes(self, photo: Tensor, count: int = 5) -> list[tuple[str, float]]:
        """The model's most likely classes with their probabilities; empty where it gives no classes."""
        picture = self.backbone.resized(photo[None])
        logits = self.model.network((picture - self.backbone.mean) / self.backbone.std)
        if not isinstance(logits, Tensor) or logits.ndim != 2:
            return []
        likely, numbers = logits[0].float().softmax(0).topk(min(count, logits.shape[1]))
        names = self.model.classes if len(self.model.classes) == logits.shape[1] else ()
        return [
            (names[number] if names else f"class {number}", share)
            for number, share in zip(numbers.tolist(), likely.tolist(), strict=True)
        ]

    @torch.no_grad()
    def reference_statistics(self, photos: Iterable[Tensor]) -> dict[str, ReferenceStatistics]:
        """Mean and standard deviation over photos of every filter's spatial mean."""
        means: dict[str, list[Tensor]] = {name: [] for name in self.backbone.layers}
        for photo in photos:
            activated = self(photo)
            for name, of_layer in means.items():
                of_layer.append(activated.means(name))
        stacked = {name: torch.stack(of_layer) for name, of_layer in means.items()}
        return {
            name: ReferenceStatistics(table.mean(0), table.std(0, unbiased=False)) for name, table in stacked.items()
        }


def figures(activated: PhotoActivations, layer: str, by: str, reference: ReferenceStatistics | None = None) -> Tensor:
    """What filters are ranked by, (filters,): ``mean``, ``max``, or ``zscore`` of the mean against the reference's.

    Raises:
        FeatvizError: ``by`` is none of them, or ``zscore`` without a reference.
    """
    if by not in BY:
        raise FeatvizError(f"unknown by '{by}'", setting="by", got=by, known=BY)
    if by == "max":
        return activated.maxima(layer)
    if by == "mean":
        return activated.means(layer)
    if reference is None:
        what = "by=zscore compares with other photos: give a folder of them, reference=FOLDER"
        raise FeatvizError(what, setting="reference")
    # a filter with the same activation for all reference photos gives no measure of what is unusual
    return torch.where(reference.std > 0, (activated.means(layer) - reference.mean) / reference.std, 0.0)


def strongest(values: Tensor, count: int) -> list[int]:
    """The numbers of the ``count`` largest values, or of all if there are fewer; of equal ones the first come first."""
    return values.argsort(descending=True, stable=True)[:count].tolist()
