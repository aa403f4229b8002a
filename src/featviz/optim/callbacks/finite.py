"""Keeps numbers that are not finite from reaching other pictures."""

from __future__ import annotations

import torch
from lightning import Trainer
from typing_extensions import override

from featviz.optim.callbacks.base import PictureCallback
from featviz.optim.visualizer import FilterVisualizer


class FiniteGuard(PictureCallback):
    """Where a picture's score or gradient stops being finite, marks it as failed and takes its gradient away.

    The other pictures of the batch go on. Nothing is fetched from the device.
    """

    @override
    @torch.no_grad()
    def on_gradient(self, trainer: Trainer, visualizer: FilterVisualizer) -> None:
        gradient = visualizer.image.values.grad
        if gradient is None:
            return
        failed = visualizer.failed
        failed |= ~gradient.flatten(1).sum(1).isfinite()  # one number that is not finite makes the sum so
        failed |= ~visualizer.scores.isfinite()
        if gradient.is_cuda or failed.any():  # on a GPU, to ask would be to wait
            gradient.masked_fill_(failed.view(-1, *[1] * (gradient.ndim - 1)), 0)
