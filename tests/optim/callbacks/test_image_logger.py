"""What is sent to loggers during the optimization."""

from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from fitting import ADAM, PIXELS, Watch, backbone, fit
from lightning.pytorch.loggers import Logger
from PIL import Image

from featviz.images.fourier import FourierImage
from featviz.optim.callbacks.image_logger import ImageLogger
from featviz.optim.lr_schedules import cosine
from featviz.optim.method import Method
from featviz.optim.schedules import constant
from featviz.optim.visualizer import FilterVisualizer
from featviz.results.loggers import log_picture


class Kept(Logger):
    """Keeps which picture it is sent at which step."""

    def __init__(self) -> None:
        super().__init__()
        self.steps: list[int | None] = []

    name, version = "kept", "0"

    def log_hyperparams(self, *_: Any, **__: Any) -> None:
        pass

    def log_metrics(self, *_: Any, **__: Any) -> None:
        pass


@log_picture.register
def _(logger: Kept, tag: str, picture: Image.Image, step: int | None = None) -> None:
    assert picture.width
    if not tag.startswith("grid"):
        logger.steps.append(step)


@pytest.mark.parametrize(
    ("steps", "every", "wanted"),
    [
        (5, 2, [0, 2, 4, 5]),
        (9, 1, [*range(10)]),
        (10, 1, [0, 2, 4, 6, 8, 10]),
        (40, 2, [0, 6, 12, 18, 24, 30, 36, 40]),
        (41, 50, [0, 41]),
    ],
)
def test_no_more_pictures_than_tensorboard_shows(steps: int, every: int, wanted: list[int]) -> None:
    logger = Kept()
    visualizer = FilterVisualizer(backbone(), Method(PIXELS, constant(16, steps), partial(ADAM, lr=0.5)), "4", [0])
    fit(visualizer, ImageLogger(pictures_every=every), logger=logger)
    assert logger.steps == wanted
    assert len(wanted) <= 10


def test_the_learning_rate_that_is_logged_is_the_steps_own() -> None:
    method = Method(FourierImage, constant(16, 6), torch.optim.Adam, lr_schedule=cosine)
    module = FilterVisualizer(backbone(), method, "4", [0])
    log, watch = ImageLogger(1), Watch()
    logged: list[float] = []

    class Board:
        def log_metrics(self, numbers: dict[str, float], step: int) -> None:
            logged.append(numbers["lr"])

    class Logged(ImageLogger):
        def on_train_batch_end(self, trainer: Any, *rest: Any) -> None:
            trainer.loggers = [Board()]
            super().on_train_batch_end(trainer, *rest)
            trainer.loggers = []

    log = Logged(1)
    fit(module, log, watch)
    assert logged == watch.rates
    assert logged == pytest.approx([1e-3 * (1 + np.cos(np.pi * step / 6)) / 2 for step in range(6)])
