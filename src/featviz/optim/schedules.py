"""The sizes of the picture while it is made, and how many steps each gets."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise
from typing import Any, NamedTuple

from featviz.errors import FeatvizError, above_zero
from featviz.optim.schedule_checks import (
    check_change,
    check_octaves,
    check_pairs,
    check_size_and_steps,
    check_stages,
    typed,
)
from featviz.shapes import Shape, Size, check_size

COMMON_SIZE = 224  # px, of the networks that published sizes are meant for


class Stage(NamedTuple):
    """``steps`` steps with a picture of ``size`` px: one number for a square, (36, 64), or (40, 36, 64) for a film."""

    size: Size
    steps: int


@dataclass(frozen=True)
class Schedule:
    """Stages one after another; between two of them the picture is resized.

    After resizing it is blurred by a box of ``blur`` px, where given, and the optimizer goes on with its averages
    resized too (``optimizer: keep``) or starts anew (``optimizer: reset``). Where nobody has chosen the sizes
    (``default``), they are those for networks of 224 px or more, and smaller ones get smaller pictures; then layers of
    small strides may have smaller pictures too (``sides``: strides, ascending, with the size up to each).
    """

    stages: tuple[Stage, ...]
    blur: int | None = None
    optimizer: str = "keep"
    default: bool = False
    sides: tuple[tuple[int, int], ...] = ()
    more_steps: bool = True  # with smaller pictures, as many as leave the number of pixels as it is

    def __post_init__(self) -> None:
        """Refuse what cannot be run."""
        if not self.stages:
            what = "schedule has no stages"
            raise FeatvizError(what, setting="schedule.stages", got=(), expected="at least one size")
        for size, steps in self.stages:
            check_size("schedule.size", size)
            above_zero("schedule.steps", steps)
        check_change(self.blur, self.optimizer)
        axes = {len(Shape.of(size)) for size, _ in self.stages}
        if len(axes) > 1:
            what = "some sizes of the schedule are those of pictures, and others of films"
            raise FeatvizError(what, setting="schedule.stages", got=[size for size, _ in self.stages])

    @property
    def total_steps(self) -> int:
        """Steps of all stages."""
        return sum(stage.steps for stage in self.stages)

    @property
    def final_size(self) -> Size:
        """Of the finished picture, in px."""
        return self.stages[-1].size

    @property
    def _final_side(self) -> float:
        return Shape.of(self.final_size).side

    def for_network(self, size: Size) -> Schedule:
        """The schedule for a network that takes pictures of ``size`` px.

        Default sizes, and the blur, shrink in proportion for small networks: such that the last size is the network's
        own, or as many times that as it is of 224 px where it is larger. First sizes stay at half the network's own or
        more, since few layers are left of less. They are squares until here, and get the proportions of the network's
        pictures, with as many px; of films also its frames, fewer at first sizes. Sizes that were chosen stay.
        """
        own = Shape.of(size)
        share = min(own.side / min(self._final_side, COMMON_SIZE), 1.0)
        if not self.default:
            return self
        sides = [(Shape.of(stage.size).side, stage.steps) for stage in self.stages]
        if share == 1.0:
            return replace(self, stages=_in_proportion(sides, own))
        more = self._more_steps(round(share * self._final_side))
        smaller = [(max(share * side, min(side, own.side // 2), 1.0), round(more * steps)) for side, steps in sides]
        blur = None if self.blur is None else 2 * round(share * (self.blur // 2)) + 1
        return replace(self, stages=_in_proportion(smaller, own), blur=blur, sides=())

    def for_stride(self, stride: int | None) -> Schedule:
        """The schedule for a layer with a position at each ``stride`` px of the picture; None: it has no positions."""
        side = next((side for most, side in self.sides if stride is not None and stride <= most), self._final_side)
        share = min(side / self._final_side, 1.0)
        if share == 1.0:
            return replace(self, sides=())
        more = self._more_steps(side)
        shapes = [Shape.of(size) for size, _ in self.stages]
        smaller = [shape.with_side(share * shape.side).size for shape in shapes]
        steps = [round(more * stage.steps) for stage in self.stages]
        return replace(self, stages=tuple(map(Stage, smaller, steps)), sides=())

    def _more_steps(self, side: float) -> float:
        """The factor of steps that leaves the number of pixels as it is with pictures of ``side`` px.

        It is no larger than with the smallest of ``sides``: pictures of 28 px would have a hundred times as many steps.
        """
        if not self.sides or not self.more_steps:
            return 1.0
        return max((self._final_side / max(side, self.sides[0][1])) ** 2, 1.0)

    def within(self, budget: float, pixels: Callable[[Size], int]) -> Schedule:
        """The same sizes, with so many steps that the network sees about ``budget`` pixels of each picture.

        ``pixels`` gives how many it sees in a step with a picture of a size. Sizes keep their shares of the steps, and
        have one at least.
        """
        share = budget / sum(steps * pixels(size) for size, steps in self.stages)
        ends = [round(share * end) for end in accumulate((stage.steps for stage in self.stages), initial=0)]
        steps = [max(end - start, 1) for start, end in pairwise(ends)]
        return replace(self, stages=tuple(map(Stage, (stage.size for stage in self.stages), steps)))

    def size_at(self, step: int) -> Size:
        """Of the picture at a step counted from 0, in px."""
        ends = list(accumulate(stage.steps for stage in self.stages))
        return self.stages[min(bisect_right(ends, step), len(ends) - 1)].size


def _in_proportion(squares: Sequence[tuple[float, int]], own: Shape) -> tuple[Stage, ...]:
    """Stages of squares, each a side and its steps, in the proportions of a network's pictures; of films with frames.

    They have as many px; where a picture is shrunk, it has fewer frames in proportion.
    """
    if own.is_square:
        return tuple(Stage(round(side), steps) for side, steps in squares)
    last, stages = squares[-1][0], list[Stage]()
    for side, steps in squares:
        shape = own.with_side(side)
        frames = max(round(own.frames * min(side / last, 1.0)), 1)
        stages.append(Stage((frames, *shape.frame) if own.is_film else shape.size, steps))
    return tuple(stages)


def constant(size: Size | None = None, steps: int = 512, default_size: int = 128) -> Schedule:
    """One size: ``size`` px, or ``default_size`` px and less for small networks.

    A size is one number for a square, [36, 64] for height and width, or [40, 36, 64] for a film of 40 frames.
    """
    check_size_and_steps(size, steps, default_size)
    return Schedule((Stage(default_size if size is None else typed(size), steps),), default=size is None)


def by_stride(
    sides: Sequence[Sequence[int]],
    steps: int | None = None,
    size: Size | None = None,
    default_size: int = 224,
    default_steps: int = 167,
) -> Schedule:
    """One size for each layer: a filter of an early layer sees little of a picture, and needs more steps than pixels.

    Args:
        sides: strides, each with the size in px of pictures of layers up to it: with ``[[4, 128], [8, 144]]`` 128 px
            for strides up to 4, 144 px for 5 to 8, ``default_size`` for larger ones and for outputs without positions.
        steps: of every layer; None: ``default_steps`` at ``default_size``, and more at smaller sizes, such that the
            network sees as many pixels of each picture; as many as with the smallest of ``sides`` at most.
        size: of every layer, in px.
        default_size: see ``sides``; less for small networks, all of whose layers have the same.
        default_steps: see ``steps``.

    Raises:
        FeatvizError: a number is out of range.
    """
    check_pairs("schedule.sides", sides, "[stride, size], whole numbers above zero")
    check_size_and_steps(size, default_steps if steps is None else steps, default_size)
    stage = Stage(default_size if size is None else typed(size), default_steps if steps is None else steps)
    ascending = tuple(sorted((stride, side) for stride, side in sides))
    return Schedule((stage,), default=size is None, sides=ascending if size is None else (), more_steps=steps is None)


def octaves(
    number: int,
    factor: float,
    steps: int,
    size: Size | None = None,
    start: Size | None = None,
    default_size: int = 128,
    blur: int | None = None,
    optimizer: str = "keep",
) -> Schedule:
    """``number`` sizes, each ``int(factor * size)`` of the one before, along all axes.

    Args:
        number: how many sizes.
        factor: above 1.
        steps: of all sizes together; they are shared out, what is left over going to later sizes.
        size: the last size, in px; the others are found backwards, by division and rounding.
        start: the first size, in px, in place of ``size``.
        default_size: the last size where neither is given, in px; less for small networks.
        blur: see ``Schedule``.
        optimizer: see ``Schedule``.

    Raises:
        FeatvizError: a number is out of range, or both ``size`` and ``start`` are given.
    """
    above_zero("schedule.number", number)
    check_size_and_steps(size, steps, default_size)
    check_change(blur, optimizer)
    if start is not None and size is not None:
        what = f"schedule.start={start} and schedule.size={size}"
        raise FeatvizError(what, setting="schedule", expected="one of them, the other as null")
    last = default_size if size is None else size
    check_octaves(number, factor, steps, last, start)
    sizes = _downwards(last, factor, number) if start is None else _upwards(start, factor, number)
    default = start is None and size is None
    return Schedule(tuple(map(Stage, sizes, _shares(steps, number))), blur, optimizer, default)


def stages(
    stages: Sequence[Sequence[Any]] | None = None,
    default_stages: Sequence[Sequence[int]] | None = None,
    blur: int | None = None,
    optimizer: str = "keep",
    steps: int | None = None,
    default_size: int | None = None,
) -> Schedule:
    """Sizes with steps of their own: ``stages`` are pairs of a size in px and its number of steps.

    Without them there are ``default_stages``, whose sizes are less for small networks. Of these, no size is above
    ``default_size``, and all together have about ``steps`` steps, one each at least, where the two are given.
    """
    default = stages is None
    pairs = default_stages if stages is None else stages
    if pairs is None:
        expected = "[[64,100],[128,200]], sizes in px and steps"
        raise FeatvizError("schedule.stages is missing", setting="schedule.stages", expected=expected)
    if not pairs:
        raise FeatvizError(setting="schedule.stages", got=[], expected="at least one size")
    check_stages(pairs)
    check_size_and_steps(None, steps, default_size)
    check_change(blur, optimizer)
    if default and default_size is not None:
        pairs = [(min(size, default_size), number) for size, number in pairs]
    schedule = Schedule(tuple(Stage(typed(size), number) for size, number in pairs), blur, optimizer, default)
    return schedule.within(steps, lambda _: 1) if default and steps is not None else schedule


def _upwards(start: Size, factor: float, number: int) -> list[Size]:
    axes = [accumulate(range(number - 1), lambda size, _: int(factor * size), initial=side) for side in Shape.of(start)]
    return [Shape(sides).size for sides in zip(*axes, strict=True)]


def _downwards(size: Size, factor: float, number: int) -> list[Size]:
    shape = Shape.of(size, "schedule.size")
    return [Shape(round(side / factor**down) for side in shape).size for down in reversed(range(number))]


def _shares(total: int, number: int) -> Sequence[int]:
    return [total * (index + 1) // number - total * index // number for index in range(number)]
