"""What a photo excites: feature maps, the activation of every filter, the strongest ones, the model's own answer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from featviz.errors import FeatvizError, nearest
from featviz.models.backbone import Backbone
from featviz.models.layers import Trace
from featviz.models.model import Model

BY = ("mean", "max", "zscore")


@dataclass(frozen=True)
class PhotoActivations:
    """The answer to a photo: ``maps`` {layer: (filters, h, w)}."""

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

    @torch.inference_mode()
    def __call__(self, photo: Tensor) -> PhotoActivations:
        """Feature maps of one photo."""
        return PhotoActivations({name: maps[0] for name, maps in self.backbone(photo[None]).items()})

    @torch.inference_mode()
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

    @torch.inference_mode()
    def usual(self, photos: Iterable[Tensor]) -> dict[str, ReferenceStatistics]:
        """Mean and standard deviation over photos of every filter's spatial mean."""
        means: dict[str, list[Tensor]] = {name: [] for name in self.backbone.layers}
        for photo in photos:
            activated = self(photo)
            for name, found in means.items():
                found.append(activated.means(name))
        stacked = {name: torch.stack(found) for name, found in means.items()}
        return {
            name: ReferenceStatistics(table.mean(0), table.std(0, unbiased=False)) for name, table in stacked.items()
        }


def figures(activated: PhotoActivations, layer: str, by: str, usual: ReferenceStatistics | None = None) -> Tensor:
    """What filters are ranked by, (filters,): ``mean``, ``max``, or ``zscore`` of the mean against the usual."""
    if by not in BY:
        raise FeatvizError(f"unknown by '{by}'; {nearest(by, BY)}")
    if by == "max":
        return activated.maxima(layer)
    if by == "mean":
        return activated.means(layer)
    if usual is None:
        raise FeatvizError("by=zscore compares with other photos: give a folder of them, reference=FOLDER")
    # a filter that answers alike to all reference photos gives no measure of what is unusual
    return torch.where(usual.std > 0, (activated.means(layer) - usual.mean) / usual.std, 0.0)


def strongest(values: Tensor, count: int) -> list[int]:
    """The numbers of the ``count`` largest values, or of all if there are fewer; of equal ones the first come first."""
    return values.argsort(descending=True, stable=True)[:count].tolist()
