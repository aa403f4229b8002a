"""Changes the gradient before, and the picture after, the optimizer's step."""

from __future__ import annotations

from functools import partial
from typing import Any

from lightning import Callback, LightningModule, Trainer
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.utils.hooks import RemovableHandle

from featviz.optim.visualizer import FilterVisualizer


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
    """After each step: apply the projections that are due.

    Where one needs it, the loss's gradient by the pictures is kept from the step, as it was before the optimizer's own
    gradient was changed.
    """

    def __init__(self) -> None:
        self._gradient: Tensor | None = None
        self._hook: RemovableHandle | None = None

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Ask for the gradient, if it is needed."""
        assert isinstance(pl_module, FilterVisualizer)
        if any(projection.needs_gradient for projection in pl_module.method.projections.values()):
            self._hook = pl_module.image.register_forward_hook(self._watch)

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Leave the image as it was."""
        if self._hook:
            self._hook.remove()

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Apply them in the order of the configuration."""
        assert isinstance(pl_module, FilterVisualizer)
        backbone = pl_module.backbone
        for projection in pl_module.method.projections.values():
            if projection.due(batch_idx):
                change = partial(projection.applied, mean=backbone.mean, std=backbone.std, gradient=self._gradient)
                pl_module.image.project(change)
        self._gradient = None

    def _watch(self, image: nn.Module, arguments: Any, pictures: Tensor) -> None:
        if pictures.requires_grad:
            pictures.register_hook(self._keep)  # type: ignore[no-untyped-call]

    def _keep(self, gradient: Tensor) -> None:
        self._gradient = gradient.detach()
