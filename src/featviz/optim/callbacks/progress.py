"""The progress bar."""

from __future__ import annotations

import time

from lightning import LightningModule, Trainer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from typing_extensions import override

from featviz.errors import printable
from featviz.objectives.filters import class_names
from featviz.optim.callbacks.base import PictureCallback, is_last
from featviz.optim.visualizer import FilterVisualizer
from featviz.results.minute_log import MinuteLog
from featviz.results.notebook import NotebookLine, notebook
from featviz.results.rows import layer_name, unit_word

SECONDS = 0.5  # between two looks at the activation, which wait for the device


class ProgressBar(PictureCallback):
    """A Rich bar with the step, the size and the mean activation.

    Where there is no terminal, a line a minute shows that a long run lives, and one comes at the end. In a notebook a
    line below the cell changes, and is gone at the end.
    """

    def __init__(self) -> None:
        self._shown = 0.0
        self._bar: Progress | None = None
        self._line = NotebookLine()

    @override
    def on_start(self, trainer: Trainer, visualizer: FilterVisualizer) -> None:
        filters = visualizer.filters
        names = class_names(visualizer.objective, visualizer.backbone)
        module = visualizer.backbone.layers[visualizer.layer].name
        first = printable(names[filters[0]]) if names else f"{unit_word(module)} {filters[0]}"
        last = printable(names[filters[-1]]) if names else filters[-1]
        name = f"{printable(layer_name(visualizer.layer))} {first}" + (f" to {last}" if len(filters) > 1 else "")
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[size]} px  activation {task.fields[activation]}"),
            TimeRemainingColumn(),
        )
        self._bar = Progress(*columns, console=Console(stderr=True))
        self._log = MinuteLog(self._bar.console)
        total = visualizer.method.schedule.total_steps
        self._bar.add_task(name, total=total, size=str(visualizer.image.shape), activation="-")
        if notebook() is None:
            self._bar.start()

    @override
    def on_step_end(self, trainer: Trainer, visualizer: FilterVisualizer, step: int) -> None:
        soon = time.monotonic() - self._shown < SECONDS
        if self._bar is None or (soon and not is_last(visualizer, step)):
            return
        self._shown = time.monotonic()
        activation = f"{visualizer.scores.mean().item():.3f}"
        for task in self._bar.task_ids:
            self._bar.update(task, completed=step, size=str(visualizer.image.shape), activation=activation)
        what, total = self._bar.tasks[0].description, visualizer.method.schedule.total_steps
        place = (step, total, visualizer.image.shape, activation)
        self._line.say(what, step, total, f"{visualizer.image.shape} px  activation {activation}")
        self._log.say("%s: step %d of %d, %s px, activation %s", what, *place)

    @override
    def on_end(self, trainer: Trainer, visualizer: FilterVisualizer) -> None:
        self._stop()

    @override
    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        self._stop()  # and give the terminal back

    def _stop(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._line.clear()
            self._bar = None
