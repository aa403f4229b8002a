"""Changes the gradient before, and the picture after, the optimizer's step."""

from __future__ import annotations

from functools import partial
from typing import Any

from lightning import LightningModule, Trainer
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.utils.hooks import RemovableHandle
from typing_extensions import override

from featviz.optim.callbacks.base import PictureCallback
from featviz.optim.visualizer import FilterVisualizer


class Gradients(PictureCallback):
    """Before each step of the optimizer: apply the changes of the gradient, in the order of the configuration."""

    @override
    def on_optimizer_step(self, trainer: Trainer, visualizer: FilterVisualizer, optimizer: Optimizer) -> None:
        values = visualizer.image.values
        for change in visualizer.method.image_gradients:
            if values.grad is not None:
                values.grad = change(values.grad, *[values] * getattr(change, "needs_values", False))


class Projections(PictureCallback):
    """After each step: apply the projections that are due, in the order of the configuration.

    Where one needs it, the loss's gradient by the pictures is kept from the step, as it was before the optimizer's own
    gradient was changed.
    """

    def __init__(self) -> None:
        self._gradient: Tensor | None = None
        self._hook: RemovableHandle | None = None

    @override
    def on_start(self, trainer: Trainer, visualizer: FilterVisualizer) -> None:
        if any(projection.needs_gradient for projection in visualizer.method.projections.values()):
            self._hook = visualizer.image.register_forward_hook(self._watch)

    @override
    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self._hook:
            self._hook.remove()  # and leave the image as it was

    @override
    def on_step_end(self, trainer: Trainer, visualizer: FilterVisualizer, step: int) -> None:
        backbone = visualizer.backbone
        for projection in visualizer.method.projections.values():
            if projection.due(step - 1):
                change = partial(projection.applied, mean=backbone.mean, std=backbone.std, gradient=self._gradient)
                visualizer.image.project(partial(change, normalized=not backbone.model.normalizes))
        self._gradient = None

    def _watch(self, image: nn.Module, arguments: Any, pictures: Tensor) -> None:
        if pictures.requires_grad:
            pictures.register_hook(self._keep)  # type: ignore[no-untyped-call]

    def _keep(self, gradient: Tensor) -> None:
        self._gradient = gradient.detach()
