"""Keeps how pictures came about: small pictures of some steps, in the run's folder."""

from __future__ import annotations

from pathlib import Path

from lightning import Trainer
from typing_extensions import override

from featviz.optim.callbacks.base import PictureCallback, is_last
from featviz.optim.visualizer import FilterVisualizer
from featviz.results.frames import frame_steps, remove_frames, write_frame


class Frames(PictureCallback):
    """Writes ``count`` frames of each picture, evenly spaced from its start on; the finished picture is none of them.

    Pictures that begin anew lose the frames that they had; those that go on from a checkpoint keep them.

    Args:
        folder: the run's.
        count: how many, where there are as many steps.
    """

    def __init__(self, folder: Path, count: int) -> None:
        self.folder = folder
        self.count = count

    @override
    def on_start(self, trainer: Trainer, visualizer: FilterVisualizer) -> None:
        if visualizer.steps_done:
            return
        for number, variant in zip(visualizer.filters, visualizer.variants, strict=True):
            remove_frames(self.folder, visualizer.layer, number, variant)
        self._write(visualizer, 0)

    @override
    def on_step_end(self, trainer: Trainer, visualizer: FilterVisualizer, step: int) -> None:
        steps = frame_steps(visualizer.method.schedule.total_steps, self.count)
        if step in steps and not is_last(visualizer, step):
            self._write(visualizer, step)

    def _write(self, visualizer: FilterVisualizer, step: int) -> None:
        names = zip(visualizer.filters, visualizer.variants, strict=True)
        for (number, variant), picture in zip(names, visualizer.pictures().nan_to_num(0.5), strict=True):
            write_frame(self.folder, visualizer.layer, number, variant, step, visualizer.display.image(picture))
