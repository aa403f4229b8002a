"""Projections, after the optimizer's steps."""

from functools import partial

import pytest
import torch
from fitting import ADAM, PIXELS
from growing import fitted
from lightning import Callback, Trainer
from torch import Tensor

from featviz.optim.method import Method
from featviz.optim.projections import Clip, Projection
from featviz.optim.schedules import constant
from featviz.optim.visualizer import FilterVisualizer


class Watch(Callback):
    """Keeps what the optimizer remembers, and the picture, after each step."""

    def __init__(self) -> None:
        self.states: list[dict[str, Tensor]] = []
        self.pictures: list[Tensor] = []

    def on_train_batch_end(self, trainer: Trainer, pl_module: FilterVisualizer, *_: object) -> None:
        state = trainer.optimizers[0].state[pl_module.image.values]
        self.states.append({name: torch.as_tensor(value).clone() for name, value in state.items()})
        self.pictures.append(pl_module.pictures())


class Counted(Projection):
    def __init__(self, every: int) -> None:
        self.every, self.times = every, 0

    def __call__(self, pictures: Tensor) -> Tensor:
        self.times += 1
        return pictures


@pytest.mark.parametrize(("every", "times"), [(1, 9), (2, 4), (4, 2), (10, 0)])
def test_projections_are_applied_every_k_steps(every: int, times: int) -> None:
    projection = Counted(every)
    fitted(Method(PIXELS, constant(16, 9), ADAM, projections={"counted": projection}), [0])
    assert projection.times == times


def test_projections_are_applied_to_the_pictures_in_their_order() -> None:
    projections = {"first": Clip(0.0, 0.4), "second": Clip(0.3, 1.0)}
    watch = Watch()
    fitted(Method(partial(PIXELS, bound="none"), constant(16, 3), ADAM, projections=projections), [0, 1], watch)
    assert all(p.min() >= 0.3 - 1e-6 and p.max() <= 0.4 + 1e-6 for p in watch.pictures)
