"""Ends the making of pictures that will not be good ones."""

from __future__ import annotations

from collections.abc import Callable

from lightning import Trainer
from typing_extensions import override

from featviz.optim.callbacks.base import PictureCallback
from featviz.optim.visualizer import FilterVisualizer

CHECKS = 8  # in a chunk


class Pruning(PictureCallback):
    """After each eighth of a chunk's steps but the last, calls ``look((layer, filters), eighths, scores)``.

    ``look`` raises what is to end the run.
    """

    def __init__(self, look: Callable[[tuple[str, list[int]], int, list[float]], None]) -> None:
        self.look = look

    @override
    def on_step_end(self, trainer: Trainer, visualizer: FilterVisualizer, step: int) -> None:
        total = visualizer.method.schedule.total_steps
        before, now = (step - 1) * CHECKS // total, step * CHECKS // total
        if before < now < CHECKS:
            self.look((visualizer.layer, visualizer.filters), now, visualizer.scores.tolist())
