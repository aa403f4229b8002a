"""What a logger is sent: one small function each, which a class of loggers may have its own version of.

A logger of your own, inside the package or outside it, is a class with its versions registered beside it::

    @log_picture.register
    def _(logger: MyLogger, tag: str, picture: Image.Image, step: int | None = None) -> None: ...
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import singledispatch
from typing import Any

import numpy as np
from lightning.pytorch.loggers import CSVLogger, Logger
from PIL import Image

from featviz.errors import FeatvizError

Array = np.ndarray[Any, Any]


def log_scalars(logger: Logger, scalars: Mapping[str, float], step: int) -> None:
    """Send the scalars {tag: value} of a step; every logger of Lightning takes them."""
    logger.log_metrics(dict(scalars), step)


@singledispatch
def log_picture(logger: Logger, tag: str, picture: Image.Image, step: int | None = None) -> None:
    """Send a picture, of a step or of the finished run; a logger without a version of its own shows none."""


def takes_pictures(logger: Logger) -> bool:
    """Whether the logger shows pictures, so that nobody draws them in vain."""
    return log_picture.dispatch(type(logger)) is not log_picture.dispatch(object)


@singledispatch
def log_embedding(
    logger: Logger, tag: str, vectors: Array, labels: Sequence[str], thumbnails: Sequence[Image.Image]
) -> None:
    """Send vectors (N, length) with a label and a thumbnail each, all thumbnails squares of the same size.

    A logger without a version of its own shows none.
    """


def takes_embeddings(logger: Logger) -> bool:
    """Whether the logger shows vectors, so that nobody draws thumbnails in vain."""
    return log_embedding.dispatch(type(logger)) is not log_embedding.dispatch(object)


@singledispatch
def log_config(logger: Logger, text: str) -> None:
    """Send the run's whole configuration, as YAML; a logger without a version of its own leaves it to config.yaml."""


@singledispatch
def log_hyperparameters(
    logger: Logger, chosen: Mapping[str, str | int | float], final: Mapping[str, float], step: int
) -> None:
    """Send what was chosen, and what came of it: ``final`` {tag: number} of the finished pictures, at the last step."""
    logger.log_hyperparams(dict(chosen))
    logger.log_metrics(dict(final), step)


@log_hyperparameters.register
def _(logger: CSVLogger, chosen: Mapping[str, str | int | float], final: Mapping[str, float], step: int) -> None:
    """Nothing: its table has a line for each step, and results.csv and config.yaml stand beside it."""


@singledispatch
def close(logger: Logger) -> None:
    """Close a logger after the run's last chunk."""
    logger.finalize("success")


def missing_package(logger: str, package: str) -> FeatvizError:
    """What to install for a logger (``logger=wandb``), whose extra has the same name."""
    return FeatvizError(
        f"logger={logger} needs {package}: pip install 'featviz[{logger}]'", setting="logger", got=logger
    )
