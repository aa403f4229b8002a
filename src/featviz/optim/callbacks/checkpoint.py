"""Keeps a checkpoint of the image and its optimizer."""

from __future__ import annotations

from pathlib import Path

from lightning import Trainer
from typing_extensions import override

from featviz.errors import at_least
from featviz.optim.callbacks.base import PictureCallback
from featviz.optim.visualizer import FilterVisualizer


class ImageCheckpoint(PictureCallback):
    """Writes ``dirpath/image.ckpt`` every ``every`` steps and after the last one, each in place of the one before.

    Raises:
        FeatvizError: ``every`` is below 1.
    """

    def __init__(self, dirpath: str, every: int = 100) -> None:
        at_least("callbacks.checkpoint.every", every, 1, "1 (every step) or more")
        self.path = Path(dirpath) / "image.ckpt"
        self.every = every

    @override
    def on_step_end(self, trainer: Trainer, visualizer: FilterVisualizer, step: int) -> None:
        if step % self.every == 0:
            trainer.save_checkpoint(self.path)

    @override
    def on_end(self, trainer: Trainer, visualizer: FilterVisualizer) -> None:
        trainer.save_checkpoint(self.path)
