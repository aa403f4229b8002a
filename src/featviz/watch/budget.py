"""How much of a training's time looking may take, and what can be done in that time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import inf


class Budget:
    """A share of the training's time, which is saved up between looks.

    Args:
        share: seconds of looking for each second of training; None for as many as it takes.
        clock: tells the time in seconds.
    """

    def __init__(self, share: float | None, clock: Callable[[], float] = time.perf_counter) -> None:
        self.share = share
        self._clock = clock
        self._began = clock()
        self._spent, self._since = 0.0, list[float]()

    @property
    def spent(self) -> float:
        """Seconds that looking has taken, up to now."""
        return self._spent + sum(self._clock() - since for since in self._since)

    @property
    def training(self) -> float:
        """Seconds that the training has taken, without those of looking."""
        return max(self._clock() - self._began - self.spent, 0.0)

    @property
    def left(self) -> float:
        """Seconds that may be spent now: below zero where more has been spent than there was."""
        return inf if self.share is None else self.share * self.training - self.spent

    @contextmanager
    def spending(self) -> Iterator[None]:
        """Count the time that a block takes as spent."""
        self._since = [self._clock()]
        try:
            yield
        finally:
            self._spent, self._since = self.spent, []


class Costs:
    """Seconds that so many pictures of a layer take, from those measured."""

    def __init__(self) -> None:
        self._measured: dict[int, float] = {}

    def note(self, count: int, seconds: float) -> None:
        """Take a new measurement in the place of an older one of as many pictures."""
        self._measured[count] = seconds

    def of(self, count: int) -> float:
        """Seconds of ``count`` pictures, between and beyond those measured along straight lines; zero before any."""
        if not self._measured:
            return 0.0
        if count in self._measured:
            return self._measured[count]
        near = sorted(sorted(self._measured, key=lambda known: abs(known - count))[:2])
        if len(near) == 1:
            return self._measured[near[0]] * max(count / near[0], 1.0)
        (low, high), seconds = near, [self._measured[known] for known in near]
        slope = max((seconds[1] - seconds[0]) / (high - low), 0.0)
        return max(seconds[0] + slope * (count - low), 0.0)

    def most_within(self, seconds: float, count: int) -> int:
        """How many of ``count`` pictures to make in that time.

        All or none, where all take less than twice as long as one: pictures that are made together share their time.
        """
        if self.of(count) <= seconds:
            return count
        if self.of(count) < 2 * self.of(1):
            return 0
        return next((fewer for fewer in range(count - 1, 0, -1) if self.of(fewer) <= seconds), 0)
