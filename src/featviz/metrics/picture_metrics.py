"""Metrics of a finished picture, as saved: does it hold when it is moved, is it this filter's alone, is it noise?

The definitions, with formulas, are in docs/evidence.md.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from math import isfinite

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from featviz.errors import FeatvizError
from featviz.metrics.perturbations import PERTURBATIONS
from featviz.metrics.spectrum import share_of_high_frequencies, spectrum_slope
from featviz.models.backbone import Backbone
from featviz.models.model import Model
from featviz.objectives import Channel, Logit, Objective
from featviz.results.rows import Row

REFERENCES = 32  # pictures of 1/f noise, by which a filter's activation is standardized
LARGEST = 320  # px: what the network says of changed pictures is asked of them at no more than this
SMALL = 0.1  # share of the layer's median deviation below which a filter's own is not believed


class PictureMetrics:
    """Computes the evidence; one instance serves a run.

    ``transfer_model`` names a second network for pictures of classes, by their order of ImageNet classes.
    """

    def __init__(self, transfer_model: str | None = None) -> None:
        self._second = _second(transfer_model) if transfer_model else None
        self._usual: dict[tuple[int, str, int], tuple[Tensor, Tensor]] = {}

    def check(self, objective: Objective) -> None:
        """Refuse a second network where pictures are not of classes."""
        if self._second and not isinstance(objective, Logit):
            raise FeatvizError(
                f"evidence.transfer_model needs pictures of classes, but the objective is {objective}; "
                "expected objective=logit, or evidence.transfer_model=null"
            )

    @torch.no_grad()
    def of(self, backbone: Backbone, objective: Objective, pictures: Tensor) -> list[dict[str, float]]:
        """The evidence for pictures (N, C, H, W) in [0, 1] of an objective, one dict each; nan where there is none."""
        device, finite = backbone.mean.device, pictures.isfinite().flatten(1).all(1)
        shown = _shrunk(torch.where(finite.view(-1, 1, 1, 1), pictures, 0.5).to(device))
        maps = backbone(shown)
        activations = objective.activation(maps).float().cpu()
        robust = self._robust(backbone, objective, shown)
        own, rank = self._selective(backbone, objective, maps, shown.shape[-1])
        transfer = self._transferred(objective, shown)
        found = []
        for at, picture in enumerate(pictures):
            if not finite[at] or not activations[at].isfinite():
                found.append(dict.fromkeys(NAMES, math.nan))
                continue
            activation, array = activations[at].item(), picture.permute(1, 2, 0).cpu().numpy().astype(np.float64)
            values = (
                *(robust[at] / activation if activation > 0 else math.nan, own[at], rank[at]),
                *(share_of_high_frequencies(array), spectrum_slope(array), transfer[at]),
            )
            found.append(dict(zip(NAMES, values, strict=True)))
        if not self._second:
            for numbers in found:
                del numbers["transfer"]
        return found

    def _robust(self, backbone: Backbone, objective: Objective, pictures: Tensor) -> list[float]:
        """The mean activation under the changes that no recipe knows, for each picture."""
        changed = [objective.activation(backbone(change(pictures))).float().cpu() for change in PERTURBATIONS]
        means: list[float] = torch.stack(changed).mean(0).tolist()
        return means

    def _selective(
        self, backbone: Backbone, objective: Objective, maps: Mapping[str, Tensor], size: int
    ) -> tuple[list[float], list[float]]:
        """For pictures of single filters: the own filter among all of the layer's, and its rank from 1."""
        count = len(next(iter(maps.values())))
        if not isinstance(objective, Channel):
            return [math.nan] * count, [math.nan] * count
        scores = self._standardized(backbone, objective.layer, maps, size)
        filters = torch.tensor(list(objective.filters)).expand(count)
        own = scores[torch.arange(count), filters]
        others = (scores.sum(1) - own) / max(scores.shape[1] - 1, 1)
        rank = (scores > own[:, None]).sum(1) + 1
        return (own - others).tolist(), rank.double().tolist()

    @torch.no_grad()
    def responses(self, backbone: Backbone, layer: str, pictures: Tensor) -> Tensor:
        """How strongly all filters of a layer answer to pictures (N, C, H, W), standardized: (N, filters)."""
        shown = _shrunk(pictures.to(backbone.mean.device))
        return self._standardized(backbone, layer, backbone(shown), shown.shape[-1])

    def _standardized(self, backbone: Backbone, layer: str, maps: Mapping[str, Tensor], size: int) -> Tensor:
        mean, std = self._usual_of(backbone, layer, size)
        return (maps[layer].float().mean((2, 3)).cpu() - mean) / std

    def _usual_of(self, backbone: Backbone, layer: str, size: int) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation, (filters,), of each filter's activation on noise with a natural spectrum."""
        # One at a time: where memory is short, chunks of pictures shrink to one, and so little must be enough here.
        key = (id(backbone.network), layer, size)
        if key not in self._usual:
            noise = references(size, backbone.model.in_channels).to(backbone.mean.device)
            means = [backbone(part)[layer].float().mean((2, 3)).cpu() for part in torch.split(noise, 1)]
            std, mean = torch.std_mean(torch.cat(means), 0)
            self._usual[key] = mean, std.clamp_min(SMALL * std.median().clamp_min(1e-12))
        return self._usual[key]

    def _transferred(self, objective: Objective, pictures: Tensor) -> list[float]:
        """The second network's probability of each picture's class."""
        if not self._second:
            return [math.nan] * len(pictures)
        assert isinstance(objective, Logit)
        second = Backbone(self._second, [objective.layer])
        logits = second(second.resized(pictures.cpu()))[objective.layer].flatten(1).float()
        second.close()
        filters = torch.tensor(list(objective.filters)).expand(len(pictures))
        shares: list[float] = logits.softmax(1)[torch.arange(len(pictures)), filters].tolist()
        return shares


NAMES = ("robustness", "selectivity", "selectivity_rank", "high_frequency", "spectrum_slope", "transfer")


def references(size: int, channels: int) -> Tensor:
    """Pictures (N, C, size, size) of noise whose magnitudes fall as 1 / frequency, with mean .5 and deviation .15."""
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(REFERENCES, channels, size, size, generator=generator)
    vertical, horizontal = torch.fft.fftfreq(size)[:, None], torch.fft.rfftfreq(size)[None]
    fall = 1 / (vertical**2 + horizontal**2).sqrt().clamp_min(1 / size)
    pictures = torch.fft.irfft2(torch.fft.rfft2(noise) * fall, s=(size, size))
    std, mean = torch.std_mean(pictures, (1, 2, 3), keepdim=True)
    return (0.5 + 0.15 * (pictures - mean) / std).clamp(0, 1)


def _shrunk(pictures: Tensor) -> Tensor:
    if pictures.shape[-1] <= LARGEST:
        return pictures
    size = (LARGEST, LARGEST)
    return F.interpolate(pictures, size, mode="bilinear", antialias=True, align_corners=False)


def _second(name: str) -> Model:
    from featviz.config.build import build_model
    from featviz.config.compose import compose_default
    from featviz.config.messages import readable_errors

    with readable_errors():
        cfg = compose_default([f"model={name}"])
    return build_model(cfg)


def robust_activation(row: Row) -> float:
    """The activation under held-out changes; 0 for a picture that failed."""
    value = row["activation"] * row.get("robustness", float("nan"))
    return value if row["status"] == "ok" and isfinite(value) else 0.0
