"""The progress bar."""

from __future__ import annotations

import time
from typing import Any

from lightning import Callback, LightningModule, Trainer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from featviz.optim.visualizer import FilterVisualizer

SECONDS = 0.5  # between two looks at the activation, which wait for the device


class ProgressBar(Callback):
    """A Rich bar with the step, the size and the mean activation. Where there is no terminal, one line at the end."""

    def __init__(self) -> None:
        self._shown = 0.0
        self._bar: Progress | None = None

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Draw the empty bar."""
        assert isinstance(pl_module, FilterVisualizer)
        filters = pl_module.filters
        name = f"{pl_module.layer} filter {filters[0]}" + (f" to {filters[-1]}" if len(filters) > 1 else "")
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[size]} px  activation {task.fields[activation]}"),
            TimeRemainingColumn(),
        )
        self._bar = Progress(*columns, console=Console(stderr=True))
        total = pl_module.method.schedule.total_steps
        self._bar.add_task(name, total=total, size=pl_module.image.size, activation="-")
        self._bar.start()

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Move the bar, at most twice a second."""
        assert isinstance(pl_module, FilterVisualizer)
        last = batch_idx + 1 == pl_module.method.schedule.total_steps
        if self._bar is None or (time.monotonic() - self._shown < SECONDS and not last):
            return
        self._shown = time.monotonic()
        activation = f"{pl_module.scores.mean().item():.3f}"
        for task in self._bar.task_ids:
            self._bar.update(task, completed=batch_idx + 1, size=pl_module.image.size, activation=activation)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Leave the bar as it is."""
        self._stop()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Give the terminal back."""
        self._stop()

    def _stop(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
