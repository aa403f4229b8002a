"""Keeps numbers that are not finite from spreading."""

from __future__ import annotations

import torch
from lightning import Callback, LightningModule, Trainer

from featviz.optim.visualizer import FilterVisualizer


class FiniteGuard(Callback):
    """Where a picture's score or gradient stops being finite, marks it as failed and takes its gradient away.

    The other pictures of the batch go on. Nothing is fetched from the device.
    """

    @torch.no_grad()
    def on_after_backward(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Look at the gradients before the optimizer does."""
        assert isinstance(pl_module, FilterVisualizer)
        gradient = pl_module.image.values.grad
        if gradient is None:
            return
        pl_module.failed |= ~gradient.flatten(1).sum(1).isfinite()  # one number that is not finite makes the sum so
        pl_module.failed |= ~pl_module.scores.isfinite()
        if gradient.is_cuda or pl_module.failed.any():  # on a GPU, to ask would be to wait
            gradient.masked_fill_(pl_module.failed.view(-1, *[1] * (gradient.ndim - 1)), 0)
