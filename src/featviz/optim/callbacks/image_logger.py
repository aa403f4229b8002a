"""Sends numbers and pictures to the loggers while they come about."""

from __future__ import annotations

from typing import Any

import numpy as np
from lightning import Callback, LightningModule, Trainer
from lightning.pytorch.loggers import TensorBoardLogger
from torch.optim import Optimizer

from featviz.errors import FeatvizError
from featviz.optim.visualizer import FilterVisualizer
from featviz.results.files import to_image
from featviz.results.sheets import grid

MOST_SINGLE = 16  # with more pictures than these only their grid is logged


class ImageLogger(Callback):
    """Every ``numbers_every`` steps scalars to all loggers; every ``pictures_every`` steps pictures to TensorBoard."""

    def __init__(self, numbers_every: int = 10, pictures_every: int = 50) -> None:
        for name, every in (("numbers_every", numbers_every), ("pictures_every", pictures_every)):
            if every < 1:
                raise FeatvizError(f"callbacks.log.{name} is {every}; expected 1 (every step) or more")
        self.numbers_every = numbers_every
        self.pictures_every = pictures_every
        self._rate = 0.0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Log the start."""
        assert isinstance(pl_module, FilterVisualizer)
        self._pictures(trainer, pl_module, 0)

    def on_before_optimizer_step(self, trainer: Trainer, pl_module: LightningModule, optimizer: Optimizer) -> None:
        """Keep the step's learning rate: when the step is over, the next one's has taken its place."""
        self._rate = float(optimizer.param_groups[0]["lr"])

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Log what is due, and everything after the last step."""
        assert isinstance(pl_module, FilterVisualizer)
        step = batch_idx + 1
        last = step == pl_module.method.schedule.total_steps
        if last or step % self.numbers_every == 0:
            self._numbers(trainer, pl_module, step)
        if last or step % self.pictures_every == 0:
            self._pictures(trainer, pl_module, step)

    def _numbers(self, trainer: Trainer, module: FilterVisualizer, step: int) -> None:
        if not trainer.loggers:
            return
        prefix = f"activation/{module.layer}"
        numbers = {f"{prefix}/{n:04d}": s for n, s in zip(module.filters, module.scores.tolist(), strict=True)}
        terms = {"score": -module.scores, **module.terms}
        numbers |= {f"loss/{_chunk(module)}/{name}": term.sum().item() for name, term in terms.items()}
        numbers["size"] = float(module.image.size)
        numbers["lr"] = self._rate
        for logger in trainer.loggers:
            logger.log_metrics(numbers, step)

    def _pictures(self, trainer: Trainer, module: FilterVisualizer, step: int) -> None:
        boards = [logger.experiment for logger in trainer.loggers if isinstance(logger, TensorBoardLogger)]
        if not boards:
            return
        tiles = [to_image(picture) for picture in module.pictures().nan_to_num(0.5)]
        labels = [
            f"{number}: {score:.2f}" for number, score in zip(module.filters, module.scores.tolist(), strict=True)
        ]
        sheet = np.asarray(grid(tiles, labels, f"{module.layer}, step {step}"))
        for board in boards:
            board.add_image(f"grid/{_chunk(module)}", sheet, step, dataformats="HWC")
            if len(tiles) <= MOST_SINGLE:
                for number, tile in zip(module.filters, tiles, strict=True):
                    picture = np.asarray(tile.convert("RGB"))
                    board.add_image(f"{module.layer}/{number:04d}", picture, step, dataformats="HWC")


def _chunk(module: FilterVisualizer) -> str:
    """Name what is optimized together, by its layer and first filter: a run may have several."""
    return f"{module.layer}/{module.filters[0]:04d}"
