"""Follows the schedule: resizes the picture when its time comes."""

from __future__ import annotations

import torch
from lightning import Trainer
from torch import Tensor
from typing_extensions import override

from featviz.optim.callbacks.base import PictureCallback
from featviz.optim.projections import BoxBlur
from featviz.optim.visualizer import FilterVisualizer
from featviz.shapes import Shape, Size


class Upscaling(PictureCallback):
    """Between two stages of the schedule: upscale the picture, blur it, resize or forget the optimizer's averages."""

    @override
    def on_step_start(self, trainer: Trainer, visualizer: FilterVisualizer, step: int) -> None:
        shape = Shape.of(visualizer.method.schedule.size_at(step))
        if shape != visualizer.image.shape:
            upscale(visualizer, shape)


def upscale(visualizer: FilterVisualizer, size: Size) -> None:
    """Bring the picture to ``size`` px, and what the optimizer remembers of it."""
    schedule, image = visualizer.method.schedule, visualizer.image
    optimizer = visualizer.optimizers(use_pl_optimizer=False)
    assert isinstance(optimizer, torch.optim.Optimizer)
    if schedule.optimizer == "reset":
        optimizer.state.clear()
    for state in optimizer.state.values():
        for name, average in state.items():
            if isinstance(average, Tensor) and average.shape == image.values.shape:
                resized = image.resampled(average, size)
                # Interpolation undershoots, but what is never negative (means of squares, maxima) must stay so.
                state[name] = resized if (average < 0).any() else resized.clamp_min(0)
    image.resize(size)
    if schedule.blur:
        image.project(BoxBlur(schedule.blur))
