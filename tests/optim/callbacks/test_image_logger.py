"""What is sent to loggers during the optimization."""

from functools import partial
from typing import Any

import pytest
from fitting import ADAM, PIXELS, backbone, fit
from lightning.pytorch.loggers import Logger
from PIL import Image

from featviz.optim.callbacks import ImageLogger
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
