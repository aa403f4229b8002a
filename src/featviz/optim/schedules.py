"""The sizes of the picture while it is made, and how many steps each gets."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise
from typing import Any, NamedTuple

from featviz.errors import FeatvizError, above_zero, within

COMMON_SIZE = 224  # px, of the networks that published sizes are meant for
MOST_STEPS = 1_000_000  # of a picture


class Stage(NamedTuple):
    """``steps`` steps with a picture of ``size`` px."""

    size: int
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
            above_zero("schedule.size", size)
            above_zero("schedule.steps", steps)
        _check_change(self.blur, self.optimizer)

    @property
    def total_steps(self) -> int:
        """Steps of all stages."""
        return sum(stage.steps for stage in self.stages)

    @property
    def final_size(self) -> int:
        """Side of the finished picture, in px."""
        return self.stages[-1].size

    def for_network(self, size: int) -> Schedule:
        """The schedule for a network that takes pictures of ``size`` px.

        Default sizes, and the blur, shrink in proportion for small networks: such that the last size is the network's
        own, or as many times that as it is of 224 px where it is larger. First sizes stay at half the network's own or
        more, since few layers are left of less. Sizes that were chosen stay.
        """
        share = min(size / min(self.final_size, COMMON_SIZE), 1.0)
        if not self.default or share == 1.0:
            return self
        more = self._more_steps(round(share * self.final_size))
        smaller = tuple(
            Stage(max(round(share * side), min(side, size // 2), 1), round(more * steps)) for side, steps in self.stages
        )
        blur = None if self.blur is None else 2 * round(share * (self.blur // 2)) + 1
        return replace(self, stages=smaller, blur=blur, sides=())

    def for_stride(self, stride: int | None) -> Schedule:
        """The schedule for a layer with a position at each ``stride`` px of the picture; None: it has no positions."""
        side = next((side for most, side in self.sides if stride is not None and stride <= most), self.final_size)
        share = min(side / self.final_size, 1.0)
        if share == 1.0:
            return replace(self, sides=())
        more = self._more_steps(side)
        smaller = tuple(Stage(round(share * size), round(more * steps)) for size, steps in self.stages)
        return replace(self, stages=smaller, sides=())

    def _more_steps(self, size: int) -> float:
        """The factor of steps that leaves the number of pixels as it is with pictures of ``size`` px.

        It is no larger than with the smallest of ``sides``: pictures of 28 px would have a hundred times as many steps.
        """
        if not self.sides or not self.more_steps:
            return 1.0
        return max((self.final_size / max(size, self.sides[0][1])) ** 2, 1.0)

    def within(self, budget: float, pixels: Callable[[int], int]) -> Schedule:
        """The same sizes, with so many steps that the network sees about ``budget`` pixels of each picture.

        ``pixels`` gives how many it sees in a step with a picture of a size. Sizes keep their shares of the steps, and
        have one at least.
        """
        share = budget / sum(steps * pixels(size) for size, steps in self.stages)
        ends = [round(share * end) for end in accumulate((stage.steps for stage in self.stages), initial=0)]
        steps = [max(end - start, 1) for start, end in pairwise(ends)]
        return replace(self, stages=tuple(map(Stage, (stage.size for stage in self.stages), steps)))

    def size_at(self, step: int) -> int:
        """Side of the picture at a step counted from 0, in px."""
        ends = list(accumulate(stage.steps for stage in self.stages))
        return self.stages[min(bisect_right(ends, step), len(ends) - 1)].size


def constant(size: int | None = None, steps: int = 512, default_size: int = 128) -> Schedule:
    """One size: ``size`` px, or ``default_size`` px and less for small networks."""
    _check_size_and_steps(size, steps, default_size)
    return Schedule((Stage(default_size if size is None else size, steps),), default=size is None)


def by_stride(
    sides: Sequence[Sequence[int]],
    steps: int | None = None,
    size: int | None = None,
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
    _check_pairs("schedule.sides", sides, "[stride, size], whole numbers above zero")
    _check_size_and_steps(size, default_steps if steps is None else steps, default_size)
    stage = Stage(default_size if size is None else size, default_steps if steps is None else steps)
    ascending = tuple(sorted((stride, side) for stride, side in sides))
    return Schedule((stage,), default=size is None, sides=ascending if size is None else (), more_steps=steps is None)


def octaves(
    number: int,
    factor: float,
    steps: int,
    size: int | None = None,
    start: int | None = None,
    default_size: int = 128,
    blur: int | None = None,
    optimizer: str = "keep",
) -> Schedule:
    """``number`` sizes, each ``int(factor * size)`` of the one before.

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
    _check_size_and_steps(size, steps, default_size)
    _check_change(blur, optimizer)
    if factor <= 1:
        raise FeatvizError(setting="schedule.factor", got=factor, expected="a number above 1")
    if start is not None and size is not None:
        what, expected = f"schedule.start={start} and schedule.size={size}", "one of them, the other as null"
        raise FeatvizError(what, setting="schedule", expected=expected)
    if start is not None:
        above_zero("schedule.start", start)
        sizes = _upwards(start, factor, number)
    else:
        sizes = _downwards(default_size if size is None else size, factor, number)
    default = start is None and size is None
    return Schedule(tuple(map(Stage, sizes, _shares(steps, number))), blur, optimizer, default)


def stages(
    stages: Sequence[Sequence[int]] | None = None,
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
    _check_pairs("schedule.stages", pairs, "[size, steps], whole numbers above zero")
    _check_size_and_steps(None, steps, default_size)
    _check_change(blur, optimizer)
    most = default_size if default and default_size is not None else max((size for size, _ in pairs))
    schedule = Schedule(tuple(Stage(min(size, most), number) for size, number in pairs), blur, optimizer, default)
    return schedule.within(steps, lambda _: 1) if default and steps is not None else schedule


def _check_pairs(setting: str, pairs: Sequence[Any], expected: str) -> None:
    for index, pair in enumerate(pairs):
        two = isinstance(pair, Sequence) and len(pair) == 2
        if not two or not all(type(number) is int and number > 0 for number in pair):
            raise FeatvizError(setting=f"{setting}[{index}]", got=pair, expected=expected)


def _check_size_and_steps(size: int | None, steps: int | None, default_size: int | None) -> None:
    if size is not None:
        above_zero("schedule.size", size)
    if default_size is not None:
        above_zero("schedule.default_size", default_size)
    if steps is not None:
        above_zero("schedule.steps", steps)
        within("schedule.steps", steps, 1, MOST_STEPS, f"at most {MOST_STEPS}")


def _check_change(blur: int | None, optimizer: str) -> None:
    if blur is not None and (blur < 1 or blur % 2 == 0):
        raise FeatvizError(setting="schedule.blur", got=blur, expected="an odd number of px, or null")
    if optimizer not in ("keep", "reset"):
        raise FeatvizError(setting="schedule.optimizer", got=optimizer, expected="keep or reset")


def _upwards(start: int, factor: float, number: int) -> Sequence[int]:
    return list(accumulate(range(number - 1), lambda size, _: int(factor * size), initial=start))


def _downwards(size: int, factor: float, number: int) -> Sequence[int]:
    above_zero("schedule.size", size)
    sizes = [round(size / factor**down) for down in reversed(range(number))]
    if sizes[0] < 1:
        what = f"schedule.size={size} is too small for {number} sizes of factor {factor}"
        raise FeatvizError(what, setting="schedule.size", got=size)
    return sizes


def _shares(total: int, number: int) -> Sequence[int]:
    above_zero("schedule.steps", total)
    if total < number:
        raise FeatvizError(setting="schedule.steps", got=total, expected=f"{number} or more, one for each size")
    return [total * (index + 1) // number - total * index // number for index in range(number)]
