"""The transforms of a recipe, one after another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate
from math import prod
from operator import mul
from typing import TypeGuard

from torch import Tensor

from featviz.transforms.base import Transform
from featviz.transforms.geometric import Geometric, Pad, resample


class Transforms:
    """The transforms of a recipe, by name, in order. Neighbouring geometric ones become a single resampling."""

    def __init__(self, steps: Mapping[str, Transform] | None = None) -> None:
        self.steps = list((steps or {}).values())
        copies = list(accumulate((step.copies for step in self.steps), mul, initial=1))
        self.copies = copies[-1]
        self.draws = sum(step.draws * before for step, before in zip(self.steps, copies, strict=False))

    def __call__(self, pictures: Tensor, draws: Tensor, progress: float = 0.0) -> Tensor:
        """Change pictures (N, C, H, W) by the numbers drawn for them, (N, draws) in [0, 1) on the CPU."""
        used, copies = 0, 1
        for run in _runs(self._for_pictures(pictures.shape[-1])):
            count = sum(step.draws for step in run)
            drawn = draws[:, used : used + count * copies].view(len(draws), copies, count).transpose(0, 1).flatten(0, 1)
            pictures = resample(run, pictures, drawn) if _geometric(run) else run[0](pictures, drawn, progress)
            used += count * copies
            copies *= prod(step.copies for step in run)
        return pictures

    def size(self, size: int) -> int:
        """The side of what the model sees, in px, for pictures of ``size`` px."""
        for step in self._for_pictures(size):
            size = step.canvas(size)
        return size

    def pixels(self, size: int) -> int:
        """How many pixels the model sees in a step of one picture of ``size`` px, all copies together."""
        return self.copies * self.size(size) ** 2

    def _for_pictures(self, size: int) -> list[Transform]:
        return [step.for_pictures(size) for step in self.steps]


def _geometric(run: Sequence[Transform]) -> TypeGuard[Sequence[Geometric]]:
    return all(isinstance(step, Geometric) for step in run)


def _runs(steps: Sequence[Transform]) -> list[list[Transform]]:
    """Neighbouring geometric transforms together; a pad comes first, since its border covers what lay there."""
    runs: list[list[Transform]] = []
    for step in steps:
        joins = runs and _geometric([*runs[-1], step]) and not isinstance(step, Pad)
        runs[-1].append(step) if joins else runs.append([step])
    return runs
