"""Whether a picture excites its filter when it is moved, blurred or compressed, too."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite, nan
from statistics import fmean

import torch
from torch import Tensor

from featviz.metrics.perturbations import PERTURBATIONS
from featviz.models.backbone import Backbone
from featviz.models.frames import by_frame
from featviz.objectives import Objective
from featviz.results.rows import Row


def perturbed_activations(backbone: Backbone, objective: Objective, pictures: Tensor) -> list[float]:
    """The mean activation of each picture (N, C, H, W) over the perturbations."""
    changed = (by_frame(change, pictures) for change in PERTURBATIONS)  # all frames of a film alike
    activations = [objective.activation(backbone(each)).float().cpu() for each in changed]
    means: list[float] = torch.stack(activations).mean(0).tolist()
    return means


def robust_activation(row: Row) -> float:
    """The activation of a row's picture under the perturbations; 0 for a picture that failed."""
    value = row["activation"] * row.get("robustness", nan)
    return value if row["status"] == "ok" and isfinite(value) else 0.0


def mean_robust_activation(rows: Sequence[Row]) -> float:
    """One number for a run: the mean of its pictures' robust activations; without that metric, of their activations."""
    values = [robust_activation(row) if "robustness" in row else _activation(row) for row in rows]
    return fmean(values) if values else nan


def _activation(row: Row) -> float:
    return row["activation"] if row["status"] == "ok" else 0.0
