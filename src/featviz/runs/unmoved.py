"""Why pictures show nothing of their filter, where that can be found out: no gradient to speak of, or padding alone."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from featviz.models.frames import by_frame
from featviz.optim.visualizer import FilterVisualizer
from featviz.shapes import Shape

RING = 1 / 8  # of a feature map's side: what counts as its border, one position at least
FAINT = 100  # times the optimizer's eps
NOTHING = 1e-6  # of the largest number: what is left behind GELU or hard-swish far below zero


def faint_gradient(visualizer: FilterVisualizer, at: int) -> str:
    """Tell, of the picture ``at`` this place, if the gradient of its last step was not far above the optimizer's eps.

    Adam divides by the gradient's size plus eps, so that a picture hardly moves where the gradient is below that; and
    where it moves, the activation hardly does. Empty where it was not so.
    """
    gradient, eps = visualizer.image.values.grad, visualizer.optimizer_eps
    largest = 0.0 if gradient is None else gradient[at].abs().max().item()
    if not 0 < largest < FAINT * eps:
        return ""
    return f"its gradient is {largest:.0e} at most, and the optimizer's eps {eps:.0e}, as in an untrained network"


@torch.no_grad()
def only_at_border(visualizer: FilterVisualizer, pictures: Tensor, maps: dict[str, Tensor]) -> list[bool]:
    """Whether the filters of pictures (N, C, H, W), whose feature maps these are, fire at the padded border alone.

    Such a filter answers to the network's zeros around the picture. Where it fires nowhere else, the picture is
    continued by mirror images, and its old border must not fire there either.
    """
    objective, trace = visualizer.objective, visualizer.backbone.trace
    silent = [False] * len(pictures)
    if objective.statistic != "mean" or len(objective.layers) > 1 or not trace.accepts_other_sizes:
        return silent
    score, activation = visualizer.measured(maps)
    if not torch.equal(score, activation):  # what a filter dislikes may well leave it silent
        return silent
    found = _silent_inside(visualizer, maps, list(range(len(pictures))))
    if not found:
        return silent
    (height, width), chosen = Shape(pictures.shape[2:]).frame, pictures[found]
    margins = (width // 2,) * 2 + (height // 2,) * 2
    continued = visualizer.maps(by_frame(lambda frames: F.pad(frames, margins, mode="reflect"), chosen))
    again = _silent_inside(visualizer, continued, found)
    return [at in again for at in range(len(pictures))]


def _silent_inside(visualizer: FilterVisualizer, maps: dict[str, Tensor], places: list[int]) -> list[int]:
    """Those of the places, whose feature maps these are, where a filter is active at the border and nowhere else."""
    layer = visualizer.objective.layers[0]
    layout, features = visualizer.backbone.layers[layer].layout, maps[layer]
    sides = Shape(features.shape[2:]).frame
    ring = max(1, round(RING * min(sides)))
    if layout is None or not layout.ordered or min(sides) < 2 * ring + 1:
        return []
    found = []
    for place, each in zip(places, features, strict=True):
        own = each[visualizer.filters[place]]
        inside = own[..., ring:-ring, ring:-ring].abs().max()
        if own.max() > 0 and inside <= NOTHING * own.max():
            found.append(place)
    return found
