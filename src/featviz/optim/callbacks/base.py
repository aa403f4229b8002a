"""The base class of the callbacks: hooks with the module that makes the pictures, and the step's number."""

from __future__ import annotations

from typing import Any

from lightning import Callback, LightningModule, Trainer
from torch.optim import Optimizer
from typing_extensions import override

from featviz.optim.visualizer import FilterVisualizer


class PictureCallback(Callback):
    """A callback of Lightning's, with hooks that are called with the ``FilterVisualizer`` and the step's number.

    A subclass overrides the hooks that it needs. Lightning's own are there as well.

    Example:
        >>> class PrintSize(PictureCallback):
        ...     def on_step_end(self, trainer, visualizer, step):
        ...         print(step, visualizer.image.size)
    """

    def on_start(self, trainer: Trainer, visualizer: FilterVisualizer) -> None:
        """Called once, before the first step."""

    def on_step_start(self, trainer: Trainer, visualizer: FilterVisualizer, step: int) -> None:
        """Called before each step, with how many steps are done: 0 at first."""

    def on_gradient(self, trainer: Trainer, visualizer: FilterVisualizer) -> None:
        """Called in each step when the pictures' gradient has been computed, before anything changes it."""

    def on_optimizer_step(self, trainer: Trainer, visualizer: FilterVisualizer, optimizer: Optimizer) -> None:
        """Called in each step right before the optimizer changes the pictures."""

    def on_step_end(self, trainer: Trainer, visualizer: FilterVisualizer, step: int) -> None:
        """Called after each step, with how many steps are done: ``schedule.total_steps`` at last."""

    def on_end(self, trainer: Trainer, visualizer: FilterVisualizer) -> None:
        """Called once, after the last step."""

    @override
    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.on_start(trainer, _visualizer(pl_module))

    @override
    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        self.on_step_start(trainer, _visualizer(pl_module), batch_idx)

    @override
    def on_after_backward(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.on_gradient(trainer, _visualizer(pl_module))

    @override
    def on_before_optimizer_step(self, trainer: Trainer, pl_module: LightningModule, optimizer: Optimizer) -> None:
        self.on_optimizer_step(trainer, _visualizer(pl_module), optimizer)

    @override
    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self.on_step_end(trainer, _visualizer(pl_module), batch_idx + 1)

    @override
    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.on_end(trainer, _visualizer(pl_module))


def is_last(visualizer: FilterVisualizer, step: int) -> bool:
    """Whether no step comes after so many."""
    return step == visualizer.method.schedule.total_steps


def _visualizer(module: LightningModule) -> FilterVisualizer:
    assert isinstance(module, FilterVisualizer), type(module)
    return module
