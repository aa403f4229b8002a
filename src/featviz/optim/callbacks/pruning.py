"""Ends the making of pictures that will not be good ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lightning import Callback, LightningModule, Trainer

from featviz.optim.visualizer import FilterVisualizer

CHECKS = 8  # in a chunk


class Pruning(Callback):
    """Hands the scores of a chunk's pictures to ``look`` a few times, with their subjects and how far they are.

    ``look`` raises what is to end the run.
    """

    def __init__(self, look: Callable[[tuple[str, list[int]], int, list[float]], None]) -> None:
        self.look = look

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Look after each eighth of the steps, but the last."""
        assert isinstance(pl_module, FilterVisualizer)
        total = pl_module.method.schedule.total_steps
        before, now = batch_idx * CHECKS // total, (batch_idx + 1) * CHECKS // total
        if before < now < CHECKS:
            self.look((pl_module.layer, pl_module.filters), now, pl_module.scores.tolist())
