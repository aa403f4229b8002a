"""TensorBoard: ``tensorboard --logdir outputs``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from lightning.pytorch.loggers import TensorBoardLogger
from PIL import Image
from typing_extensions import override

from featviz.results.loggers.interface import (
    Array,
    close,
    log_config,
    log_embedding,
    log_hyperparameters,
    log_picture,
)


class TensorBoard(TensorBoardLogger):
    """Lightning's logger with one events file for a run: each chunk's trainer would close it and start another."""

    @override
    def finalize(self, status: str) -> None:
        if self._experiment is not None:
            self._experiment.flush()  # and leave the file open

    @override
    def save(self) -> None:
        """Write no hparams.yaml: config.yaml, in the run's folder, says more."""


@log_picture.register
def _(logger: TensorBoardLogger, tag: str, picture: Image.Image, step: int | None = None) -> None:
    logger.experiment.add_image(tag, np.asarray(picture.convert("RGB")), step, dataformats="HWC")


@log_embedding.register
def _(
    logger: TensorBoardLogger, tag: str, vectors: Array, labels: Sequence[str], thumbnails: Sequence[Image.Image]
) -> None:
    pixels = np.stack([np.asarray(tile.convert("RGB")) for tile in thumbnails]).transpose(0, 3, 1, 2)
    tiles = torch.from_numpy(pixels.astype(np.float32) / 255)
    logger.experiment.add_embedding(torch.from_numpy(vectors), list(labels), tiles, tag=tag)


@log_config.register
def _(logger: TensorBoardLogger, text: str) -> None:
    lines = ("    " + line for line in text.splitlines())  # to Markdown this is code, not markup
    logger.experiment.add_text("config", "\n".join(lines))


@log_hyperparameters.register
def _(
    logger: TensorBoardLogger, chosen: Mapping[str, str | int | float], final: Mapping[str, float], step: int
) -> None:
    logger.log_hyperparams(dict(chosen), dict(final), step)


@close.register
def _(logger: TensorBoardLogger) -> None:
    logger.experiment.close()
    logger.finalize("success")
