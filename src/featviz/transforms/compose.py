"""The transforms of a recipe, one after another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from math import prod
from operator import mul
from typing import TypeGuard

import torch
from torch import Tensor

from featviz.models.frames import films_of, frames_of
from featviz.models.normalization import Normalization
from featviz.shapes import Shape, Size
from featviz.transforms.base import Transform
from featviz.transforms.geometric import Geometric, composed
from featviz.transforms.sampling import sample


class Transforms:
    """The transforms of a recipe, by name, in order. Neighboring geometric ones become a single resampling."""

    def __init__(self, steps: Mapping[str, Transform] | None = None) -> None:
        self.steps = list((steps or {}).values())
        copies = list(accumulate((step.copies for step in self.steps), mul, initial=1))
        self.copies = copies[-1]
        self.draws = sum(step.draws * before for step, before in zip(self.steps, copies, strict=False))

    def __call__(self, pictures: Tensor, draws: Tensor, progress: float = 0.0) -> Tensor:
        """Change pictures (N, C, H, W) by the numbers drawn for them, (N, draws) in [0, 1) on the CPU."""
        return DrawnTransforms(self, draws[:, None])(pictures, 0, progress)

    def behind(self, first: Transform | None) -> Transforms:
        """The transforms with another one before them, where there is one."""
        steps = [first, *self.steps] if first else self.steps
        return Transforms({str(at): step for at, step in enumerate(steps)})

    def size(self, size: Size) -> Size:
        """The size of what the model sees, in px, for pictures of ``size`` px."""
        shape = Shape.of(size)
        canvas: Size = shape.frame.size
        for step in self.for_pictures(size):
            canvas = step.canvas(canvas)
        return shape.with_frame(canvas).size

    def pixels(self, size: Size) -> int:
        """How many pixels the model sees in a step of one picture of ``size`` px, all copies together."""
        return self.copies * Shape.of(self.size(size)).values

    def for_network(self, size: Size) -> Transforms:
        """The transforms as they are for a network that takes pictures of ``size`` px."""
        return Transforms({str(at): step.for_network(size) for at, step in enumerate(self.steps)})

    def for_pictures(self, size: Size) -> list[Transform]:
        """The transforms as they are for pictures of ``size`` px."""
        return [step.for_pictures(size) for step in self.steps]


class DrawnTransforms:
    """Transforms with the numbers drawn for all steps, (N, steps, draws) in [0, 1) on the CPU.

    What depends on these numbers alone is computed for all steps at once, when pictures of another size come.
    """

    def __init__(self, transforms: Transforms, draws: Tensor) -> None:
        self.transforms = transforms
        self.draws = draws
        self._runs: list[_Run] = []
        self._prepared_for: tuple[Shape, torch.device] | None = None

    def __call__(
        self, pictures: Tensor, step: int, progress: float = 0.0, normalization: Normalization | None = None
    ) -> Tensor:
        """Change pictures, or films, as they are changed in a step, counted from 0; then normalize them, if asked to.

        A resampling that comes last does that in the same go.
        """
        kind = Shape(pictures.shape[2:]), pictures.device
        if kind != self._prepared_for:
            self._runs, self._prepared_for = list(self._prepared(*kind)), kind
        for run in self._runs[:-1]:
            pictures = run(pictures, step, progress)
        if self._runs:
            return self._runs[-1](pictures, step, progress, normalization)
        return normalization(pictures) if normalization else pictures

    def _prepared(self, shape: Shape, device: torch.device) -> Iterator[_Run]:
        used, copies = 0, 1
        for steps in _runs(self.transforms.for_pictures(shape.size)):
            count = sum(step.draws for step in steps)
            drawn = self.draws[:, :, used : used + count * copies].reshape(*self.draws.shape[:2], copies, count)
            drawn = drawn.permute(1, 2, 0, 3).flatten(1, 2)  # (steps, copies * N, count)
            yield _Moving(steps, shape, drawn, device) if _geometric(steps) else _Changing(steps[0], drawn)
            used += count * copies
            copies *= prod(step.copies for step in steps)
            for step in steps:
                shape = shape.with_frame(step.canvas(shape.frame.size))


class _Moving:
    """Geometric transforms as a single resampling, with its matrices of all steps on the pictures' device."""

    def __init__(self, steps: Sequence[Geometric], shape: Shape, draws: Tensor, device: torch.device) -> None:
        matrices, self.canvas, self.fill = composed(steps, shape, draws.flatten(0, 1))
        self.matrices = matrices.view(*draws.shape[:2], 2, 3).to(device)

    def __call__(
        self, pictures: Tensor, step: int, progress: float, normalization: Normalization | None = None
    ) -> Tensor:
        matrices = self.matrices[step]
        if pictures.ndim < 5:
            return sample(pictures, matrices, self.canvas, self.fill, normalization)
        frames = pictures.shape[2]
        moved = sample(
            frames_of(pictures), matrices.repeat_interleave(frames, 0), self.canvas, self.fill, normalization
        )
        return films_of(moved, frames)


class _Changing:
    """Another transform, with its draws of all steps."""

    def __init__(self, transform: Transform, draws: Tensor) -> None:
        self.transform = transform
        self.draws = draws

    def __call__(
        self, pictures: Tensor, step: int, progress: float, normalization: Normalization | None = None
    ) -> Tensor:
        draws = self.draws[step]
        if pictures.ndim < 5 or self.transform.takes_films:
            changed = self.transform(pictures, draws, progress)
        else:
            frames = pictures.shape[2]
            alike = draws.repeat_interleave(frames, 0)
            changed = films_of(self.transform(frames_of(pictures), alike, progress), frames)
        return normalization(changed) if normalization else changed


_Run = _Moving | _Changing


def _geometric(run: Sequence[Transform]) -> TypeGuard[Sequence[Geometric]]:
    return all(isinstance(step, Geometric) for step in run)


def _runs(steps: Sequence[Transform]) -> list[list[Transform]]:
    """Neighboring geometric transforms together; one with a border comes first: the border covers what lay there."""
    runs: list[list[Transform]] = []
    for step in steps:
        joins = runs and _geometric(runs[-1]) and isinstance(step, Geometric) and step.fill is None
        runs[-1].append(step) if joins else runs.append([step])
    return runs
