"""Sends scalars and pictures to the loggers during the optimization."""

from __future__ import annotations

from math import ceil

from lightning import Trainer
from torch.optim import Optimizer
from typing_extensions import override

from featviz.errors import at_least
from featviz.optim.callbacks.base import PictureCallback, is_last
from featviz.optim.visualizer import FilterVisualizer
from featviz.results.loggers import log_picture, log_scalars, takes_pictures
from featviz.results.rows import three_digits
from featviz.results.sheets import grid

MOST_PICTURES = 10  # of a tag that TensorBoard shows; of more it draws lots
MOST_SINGLE = 16  # with more pictures than these only their grid is logged


class ImageLogger(PictureCallback):
    """Sends scalars every ``numbers_every`` steps, and pictures every ``pictures_every`` steps, to the loggers.

    Both come after the last step too, and pictures before the first. Of more steps than ``MOST_PICTURES``, which
    TensorBoard shows, pictures come at every second of them, or third, and so on.

    Raises:
        FeatvizError: one of the two numbers is below 1.
    """

    def __init__(self, numbers_every: int = 10, pictures_every: int = 50) -> None:
        at_least("callbacks.log.numbers_every", numbers_every, 1, "1 (every step) or more")
        at_least("callbacks.log.pictures_every", pictures_every, 1, "1 (every step) or more")
        self.numbers_every = numbers_every
        self.pictures_every = pictures_every
        self._rate = 0.0

    @override
    def on_start(self, trainer: Trainer, visualizer: FilterVisualizer) -> None:
        self._log_pictures(trainer, visualizer, 0)

    @override
    def on_optimizer_step(self, trainer: Trainer, visualizer: FilterVisualizer, optimizer: Optimizer) -> None:
        # when the step is over, the next one's learning rate has taken this one's place
        self._rate = float(optimizer.param_groups[0]["lr"])

    @override
    def on_step_end(self, trainer: Trainer, visualizer: FilterVisualizer, step: int) -> None:
        last = is_last(visualizer, step)
        if last or step % self.numbers_every == 0:
            self._log_scalars(trainer, visualizer, step)
        if last or step % self._pictures_every(visualizer) == 0:
            self._log_pictures(trainer, visualizer, step)

    def _pictures_every(self, visualizer: FilterVisualizer) -> int:
        """Steps between two pictures, so that with the first and the last there are not too many."""
        between = (visualizer.method.schedule.total_steps - 1) // self.pictures_every
        return self.pictures_every * max(1, ceil(between / (MOST_PICTURES - 2)))

    def _log_scalars(self, trainer: Trainer, visualizer: FilterVisualizer, step: int) -> None:
        if not trainer.loggers:
            return
        scores = zip(visualizer.filters, visualizer.scores.tolist(), strict=True)
        scalars = {f"activation/{visualizer.layer}/{number:04d}": score for number, score in scores}
        terms = {"score": -visualizer.scores, **visualizer.terms}
        scalars |= {f"loss/{_chunk(visualizer)}/{name}": term.sum().item() for name, term in terms.items()}
        scalars["size"] = float(visualizer.image.shape.side)
        scalars["lr"] = self._rate
        for logger in trainer.loggers:
            log_scalars(logger, scalars, step)

    def _log_pictures(self, trainer: Trainer, visualizer: FilterVisualizer, step: int) -> None:
        loggers = [logger for logger in trainer.loggers if takes_pictures(logger)]
        if not loggers:
            return
        tiles = [visualizer.display.image(picture) for picture in visualizer.pictures().nan_to_num(0.5)]
        scores = zip(visualizer.filters, visualizer.scores.tolist(), strict=True)
        labels = [f"{number}: {three_digits(score)}" for number, score in scores]
        tagged = [(f"grid/{_chunk(visualizer)}", grid(tiles, labels, f"{visualizer.layer}, step {step}"))]
        if len(tiles) <= MOST_SINGLE:
            names = [f"{visualizer.layer}/{number:04d}" for number in visualizer.filters]
            tagged += zip(names, tiles, strict=True)
        for logger in loggers:
            for tag, picture in tagged:
                log_picture(logger, tag, picture, step)


def _chunk(visualizer: FilterVisualizer) -> str:
    """Name what is optimized together, by its layer and first filter: a run may have several."""
    return f"{visualizer.layer}/{visualizer.filters[0]:04d}"
