"""The hooks of the base class of callbacks."""

from functools import partial
from typing import Any

import torch
from fitting import ADAM, PIXELS, backbone, fit

from featviz.optim.callbacks import PictureCallback
from featviz.optim.method import Method
from featviz.optim.schedules import constant
from featviz.optim.visualizer import FilterVisualizer


class Notes(PictureCallback):
    """Writes down which hook was called, with the step's number where it has one."""

    def __init__(self) -> None:
        self.notes: list[Any] = []

    def on_start(self, trainer: Any, visualizer: FilterVisualizer) -> None:
        self.notes.append("start")

    def on_step_start(self, trainer: Any, visualizer: FilterVisualizer, step: int) -> None:
        self.notes.append(("step start", step))

    def on_gradient(self, trainer: Any, visualizer: FilterVisualizer) -> None:
        assert visualizer.image.values.grad is not None
        self.notes.append("gradient")

    def on_optimizer_step(self, trainer: Any, visualizer: FilterVisualizer, optimizer: torch.optim.Optimizer) -> None:
        self.notes.append(("optimizer step", optimizer.param_groups[0]["lr"]))

    def on_step_end(self, trainer: Any, visualizer: FilterVisualizer, step: int) -> None:
        assert visualizer.steps_done == step
        self.notes.append(("step end", step))

    def on_end(self, trainer: Any, visualizer: FilterVisualizer) -> None:
        self.notes.append("end")


def test_hooks_come_in_order_with_the_module_and_the_steps_number() -> None:
    notes = Notes()
    fit(FilterVisualizer(backbone(), Method(PIXELS, constant(16, 2), partial(ADAM, lr=0.5)), "4", [0]), notes)
    steps = [[("step start", step), "gradient", ("optimizer step", 0.5), ("step end", step + 1)] for step in range(2)]
    assert notes.notes == ["start", *steps[0], *steps[1], "end"]
