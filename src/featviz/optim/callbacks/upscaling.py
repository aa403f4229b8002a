"""Follows the schedule: resizes the picture when its time comes."""

from __future__ import annotations

from typing import Any

import torch
from lightning import Callback, LightningModule, Trainer
from torch import Tensor

from featviz.optim.projections import BoxBlur
from featviz.optim.visualizer import FilterVisualizer


class Upscaling(Callback):
    """Between two stages of the schedule: upscale the picture, blur it, resize or forget the optimizer's averages."""

    def on_train_batch_start(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Resize before the first step of a stage."""
        assert isinstance(pl_module, FilterVisualizer)
        size = pl_module.method.schedule.size_at(batch_idx)
        if size != pl_module.image.size:
            upscale(pl_module, size)


def upscale(module: FilterVisualizer, size: int) -> None:
    """Bring the picture to ``size`` px, and what the optimizer remembers of it."""
    schedule, image = module.method.schedule, module.image
    old_shape = image.values.shape
    image.resize(size)
    if schedule.blur:
        image.project(BoxBlur(schedule.blur))
    optimizer = module.optimizers(use_pl_optimizer=False)
    assert isinstance(optimizer, torch.optim.Optimizer)
    if schedule.optimizer == "anew":
        optimizer.state.clear()
        return
    for state in optimizer.state.values():
        for name, average in state.items():
            if isinstance(average, Tensor) and average.shape == old_shape:
                resized = image.resampled(average, size)
                # Interpolation undershoots, but what is never negative (means of squares, maxima) must stay so.
                state[name] = resized if (average < 0).any() else resized.clamp_min(0)
