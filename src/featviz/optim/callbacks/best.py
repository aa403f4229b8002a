"""Keeps the best pictures of all steps, where the objective says what is best."""

from __future__ import annotations

from typing import Any

import torch
from lightning import Trainer
from torch import Tensor
from typing_extensions import override

from featviz.optim.callbacks.base import PictureCallback
from featviz.optim.visualizer import FilterVisualizer


class KeepBest(PictureCallback):
    """After each step of the final size: of each picture as it would be saved, keeps the one of the highest ``worth``.

    Those of an objective that keeps from a share of the steps on are looked at from then on. After the last step the
    kept ones are the pictures.
    """

    def __init__(self) -> None:
        self._worth: Tensor | None = None
        self._values: Tensor | None = None

    @override
    def on_start(self, trainer: Trainer, visualizer: FilterVisualizer) -> None:
        if not visualizer.objective.keeps_from and self._worth is None:
            self._look(visualizer)

    @override
    def on_step_end(self, trainer: Trainer, visualizer: FilterVisualizer, step: int) -> None:
        if step >= visualizer.objective.keeps_from * visualizer.method.schedule.total_steps:
            self._look(visualizer)

    @torch.no_grad()
    def _look(self, visualizer: FilterVisualizer) -> None:
        image = visualizer.image
        if image.size != visualizer.method.schedule.final_size:
            return
        worth, values = visualizer.objective.worth(visualizer.maps(visualizer.finished())), image.values.detach()
        worth = worth.nan_to_num(-torch.inf)
        if self._worth is None or self._values is None:
            self._worth, self._values = worth, values.clone()
            return
        better = worth > self._worth.to(worth)
        self._worth = torch.where(better, worth, self._worth.to(worth))
        each = better.to(values.device).view(-1, *[1] * (values.ndim - 1))
        self._values = torch.where(each, values, self._values.to(values))

    @override
    @torch.no_grad()
    def on_end(self, trainer: Trainer, visualizer: FilterVisualizer) -> None:
        if self._values is not None:
            visualizer.image.values.data = self._values.to(visualizer.image.values)

    @override
    def state_dict(self) -> dict[str, Any]:
        return {"worth": self._worth, "values": self._values}

    @override
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._worth, self._values = state_dict["worth"], state_dict["values"]
