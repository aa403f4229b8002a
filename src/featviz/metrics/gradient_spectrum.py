"""How many frequencies take part in the gradient of a unit with respect to photos.

A gradient in a few frequencies leads to pictures that can be seen; one in all of them changes pixels without a common
pattern. In bioRxiv 2026.08.16.745063 the participation ratio of its radial spectrum predicts, at r = -.90, how well
pictures control neurons.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import nan
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from featviz.metrics.subjects import Subjects
from featviz.models.backbone import Backbone
from featviz.photos.files import load_photo

PHOTOS = 4  # of each unit, its strongest


def radial_spectrum(gradient: NDArray[np.floating]) -> NDArray[np.float64]:
    """The mean energy of a gradient (C, H, W) in rings of frequencies, one cycle per shorter side S wide, up to S // 2.

    The rings' numbers add up to 1, but for a gradient of zeros.
    """
    energy = (np.abs(np.fft.fft2(np.asarray(gradient, dtype=np.float64))) ** 2).sum(0)
    down, across = (np.fft.fftfreq(length) for length in energy.shape)
    side = min(energy.shape)
    rings = np.rint(np.hypot(down[:, None], across) * side).astype(int).ravel()
    mean = np.bincount(rings, energy.ravel()) / np.bincount(rings)
    power = mean[1 : side // 2 + 1]
    return power / power.sum() if power.sum() > 0 else power


def participation_ratio(power: NDArray[np.floating]) -> float:
    """The share of numbers that take part in a sum: 1 where all are equal, 1 / n where one has it all; nan for none."""
    total = float((power**2).sum())
    return float(power.sum() ** 2 / total / len(power)) if total > 0 else float("nan")


class GradientRatio:
    """The column ``gradient_pr`` of pictures: of each unit, whatever its picture."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, str, int, str], float] = {}

    def columns(self, subjects: Subjects) -> dict[str, list[float]]:
        """One number for each picture; nan for units without photos, and for those that have no gradient."""
        found = []
        for number, photos in zip(subjects.numbers, subjects.strongest, strict=True):
            key = (id(subjects.backbone.model), subjects.layer, number, subjects.figure)
            if key not in self._known:
                self._known[key] = self._of(subjects, number, photos[:PHOTOS])
            found.append(self._known[key])
        return {"gradient_pr": found}

    def _of(self, subjects: Subjects, number: int, photos: Sequence[Path]) -> float:
        if not photos:
            return nan
        gradients = photo_gradients(subjects.backbone, subjects.layer, number, subjects.figure, photos)
        spectra = np.stack([radial_spectrum(gradient) for gradient in gradients.numpy()])
        return participation_ratio(spectra.mean(0))


def photo_gradients(backbone: Backbone, layer: str, number: int, figure: str, files: Sequence[Path]) -> Tensor:
    """The gradient of a unit's ``mean`` or ``max`` with respect to photos, (N, C, H, W) on the CPU."""
    model = backbone.model
    photos = torch.stack([load_photo(file, model.size, model.in_channels) for file in files]).to(backbone.mean.device)
    with torch.enable_grad():
        photos.requires_grad_()
        flat = backbone(photos)[layer][:, number].float().flatten(1)
        (gradient,) = torch.autograd.grad((flat.mean(1) if figure == "mean" else flat.amax(1)).sum(), photos)
    return gradient.cpu()
