"""The loggers of a run: one TensorBoard events file, the configuration as text, the HParams tab."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite, nan
from statistics import fmean
from typing import cast

import numpy as np
from lightning.pytorch.loggers import Logger, TensorBoardLogger
from PIL import Image

from featviz.results.rows import METRICS, Row


class TensorBoard(TensorBoardLogger):
    """Lightning's logger with one events file for a run: each chunk's trainer would close it and start another."""

    def finalize(self, status: str) -> None:
        """Write what is held back; the file stays open."""
        if self._experiment is not None:
            self._experiment.flush()

    def save(self) -> None:
        """Write no hparams.yaml: config.yaml, in the run's folder, says more."""


def finish_loggers(loggers: list[Logger], chosen: Mapping[str, str | int | float], rows: list[Row]) -> None:
    """Close the loggers; before that, for the HParams tab, what was chosen and the final mean activation."""
    for logger in loggers:
        if isinstance(logger, TensorBoardLogger):
            if rows:
                steps = max(row["steps"] for row in rows)
                logger.log_hyperparams(dict(chosen), final_numbers(rows), steps)
            logger.experiment.close()
        logger.finalize("success")


def show_image(loggers: Sequence[Logger], tag: str, image: Image.Image) -> None:
    """Send a picture to TensorBoard."""
    for logger in loggers:
        if isinstance(logger, TensorBoardLogger):
            logger.experiment.add_image(tag, np.asarray(image.convert("RGB")), dataformats="HWC")


def final_numbers(rows: list[Row]) -> dict[str, float]:
    """The mean activation and the mean of each kind of evidence, for the HParams tab."""
    numbers = {"hp/activation": mean_activation(rows)}
    for name in METRICS:
        finite = [value for row in rows if isfinite(value := cast(float, row.get(name, nan)))]
        if finite:
            numbers[f"hp/{name}"] = fmean(finite)
    return numbers


def mean_activation(rows: list[Row]) -> float:
    """The mean over all pictures that have a number."""
    finite = [row["activation"] for row in rows if row["status"] != "nan"]
    return fmean(finite) if finite else float("nan")
