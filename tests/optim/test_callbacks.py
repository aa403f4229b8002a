"""The hooks of the callbacks' base class; what is sent to loggers and to screens during the optimization."""

from functools import partial
from typing import Any

import pytest
import torch
from fitting import ADAM, PIXELS, backbone, fit
from lightning.pytorch.loggers import Logger
from PIL import Image

from featviz.optim.callbacks import ImageLogger, PictureCallback, ProgressBar, progress
from featviz.optim.method import Method
from featviz.optim.schedules import constant
from featviz.optim.visualizer import FilterVisualizer
from featviz.results.loggers import log_picture


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


class Kept(Logger):
    """Keeps which picture it is sent at which step."""

    def __init__(self) -> None:
        super().__init__()
        self.steps: list[int | None] = []

    name, version = "kept", "0"

    def log_hyperparams(self, *_: Any, **__: Any) -> None:
        pass

    def log_metrics(self, *_: Any, **__: Any) -> None:
        pass


@log_picture.register
def _(logger: Kept, tag: str, picture: Image.Image, step: int | None = None) -> None:
    assert picture.width
    if not tag.startswith("grid"):
        logger.steps.append(step)


@pytest.mark.parametrize(
    ("steps", "every", "wanted"),
    [
        (5, 2, [0, 2, 4, 5]),
        (9, 1, [*range(10)]),
        (10, 1, [0, 2, 4, 6, 8, 10]),
        (40, 2, [0, 6, 12, 18, 24, 30, 36, 40]),
        (41, 50, [0, 41]),
    ],
)
def test_no_more_pictures_than_tensorboard_shows(steps: int, every: int, wanted: list[int]) -> None:
    logger = Kept()
    visualizer = FilterVisualizer(backbone(), Method(PIXELS, constant(16, steps), partial(ADAM, lr=0.5)), "4", [0])
    fit(visualizer, ImageLogger(pictures_every=every), logger=logger)
    assert logger.steps == wanted
    assert len(wanted) <= 10


@pytest.mark.parametrize("minute", [0.0, 60.0])
def test_without_a_terminal_a_line_a_minute_shows_life(
    minute: float, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(progress, "MINUTE", minute)
    monkeypatch.setattr(progress, "SECONDS", 0.0)
    caplog.set_level("INFO", logger=progress.__name__)
    fit(FilterVisualizer(backbone(), Method(PIXELS, constant(16, 3), partial(ADAM, lr=0.5)), "4", [0]), ProgressBar())
    ours = [record.message for record in caplog.records if record.name == progress.__name__]
    lines = [message.partition(", activation")[0] for message in ours]
    assert lines == [f"4 filter 0: step {step} of 3, 16 px" for step in (1, 2, 3)] * (minute == 0)
