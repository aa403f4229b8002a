"""Changes the gradient before, and the picture after, the optimizer's step."""

from __future__ import annotations

from typing import Any

from lightning import Callback, LightningModule, Trainer
from torch.optim import Optimizer

from featviz.visualizer import FilterVisualizer


class Gradients(Callback):
    """Before each step of the optimizer: apply the changes of the gradient, in the order of the configuration."""

    def on_before_optimizer_step(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        optimizer: Optimizer,
    ) -> None:
        """Apply them."""
        assert isinstance(pl_module, FilterVisualizer)
        values = pl_module.image.values
        for change in pl_module.method.gradients.values():
            if values.grad is not None:
                values.grad = change(values.grad)


class Projections(Callback):
    """After each step: apply the projections that are due."""

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Apply them in the order of the configuration, and count the step."""
        assert isinstance(pl_module, FilterVisualizer)
        for projection in pl_module.method.projections.values():
            if projection.due(batch_idx):
                pl_module.image.project(projection)
        pl_module.steps_done = batch_idx + 1
