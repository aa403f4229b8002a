"""Each logger gets what its versions of the functions send it."""

from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import CSVLogger, Logger
from PIL import Image

from featviz.results import loggers


class Own(CSVLogger):
    """A logger from outside: it shows pictures because its version of one function is registered."""

    def __init__(self, save_dir: str) -> None:
        super().__init__(save_dir)
        self.shown: list[tuple[Any, ...]] = []


def test_a_logger_of_ones_own_takes_pictures_once_its_function_is_registered(tmp_path: Path) -> None:
    own, plain = Own(str(tmp_path)), CSVLogger(str(tmp_path))
    assert not loggers.takes_pictures(own)

    def show(logger: Own, tag: str, picture: Image.Image, step: int | None = None) -> None:
        logger.shown.append((tag, picture.size, step))

    loggers.log_picture.register(Own, show)
    picture = Image.new("RGB", (4, 4))
    for logger in (own, plain):
        loggers.log_picture(logger, "grid/first/0000", picture, 3)
    assert own.shown == [("grid/first/0000", (4, 4), 3)]
    assert loggers.takes_pictures(own)
    assert not loggers.takes_pictures(plain)


def test_any_logger_of_lightnings_gets_hyperparameters_and_final_numbers() -> None:
    class Notes(Logger):
        name = version = "notes"

        def __init__(self) -> None:
            super().__init__()
            self.notes: list[Any] = []

        def log_metrics(self, metrics: Any, step: int | None = None) -> None:
            self.notes.append((metrics, step))

        def log_hyperparams(self, params: Any, *args: Any, **kwargs: Any) -> None:
            self.notes.append(params)

    notes = Notes()
    loggers.log_hyperparameters(notes, {"lr": 0.1}, {"hp/activation": 2.0}, 7)
    assert notes.notes == [{"lr": 0.1}, ({"hp/activation": 2.0}, 7)]
