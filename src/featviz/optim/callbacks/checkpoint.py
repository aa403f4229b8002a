"""Keeps a checkpoint of the image and its optimizer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lightning import Callback, LightningModule, Trainer

from featviz.errors import FeatvizError


class ImageCheckpoint(Callback):
    """Writes ``dirpath/image.ckpt`` every ``every`` steps and after the last one, each in place of the one before."""

    def __init__(self, dirpath: str, every: int = 100) -> None:
        if every < 1:
            raise FeatvizError(f"callbacks.checkpoint.every is {every}; expected 1 (every step) or more")
        self.path = Path(dirpath) / "image.ckpt"
        self.every = every

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Save when it is due."""
        if (batch_idx + 1) % self.every == 0:
            trainer.save_checkpoint(self.path)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Save the finished image."""
        trainer.save_checkpoint(self.path)
