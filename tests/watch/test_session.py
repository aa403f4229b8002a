"""Whose pictures a look makes, where there is no time for all."""

from collections.abc import Sequence
from typing import Any

import pytest
from lightning.pytorch.loggers import CSVLogger
from trainings import QUICK, Net

import featviz
from featviz.watch.budget import Budget, Costs
from featviz.watch.record import Moment
from featviz.watch.session import Session


def session(layers: Sequence[str], costs: dict[str, float], left: Sequence[float], **settings: Any) -> list[list[str]]:
    """Which units each look makes, where a picture of a layer takes so long, and so much time is left at each look."""
    watch = featviz.Watch(**{"layers": layers, "filters": "0-1", **QUICK, **settings})
    made = Session(watch.settings, Net(), [CSVLogger("logs")])
    made.budget = Clocked()
    for name, seconds in costs.items():
        made.costs[name] = Costs()
        made.costs[name].note(1, seconds)
    made._note = lambda layer, count, _: made.budget.spend(costs[layer.name] * count)  # type: ignore[assignment]
    looks = []
    for at, seconds in enumerate(left):
        made.budget.rest, made.look_costs = seconds, 0.0
        looks.append([f"{row['layer']}/{row['filter']}" for row in made.look(Moment(at, at))])
    return looks


class Clocked(Budget):
    """A budget whose rest is set by hand."""

    def __init__(self) -> None:
        super().__init__(1.0)
        self.rest = 0.0

    @property
    def left(self) -> float:
        return self.rest

    def spend(self, seconds: float) -> float:
        self.rest -= seconds
        return seconds


@pytest.mark.parametrize(
    ("layers", "costs", "left", "expected"),
    [
        (["f.0"], {"f.0": 1}, [0.5, 2], [[], ["f.0/0", "f.0/1"]]),
        (["f.0"], {"f.0": 1}, [1, 1, 1], [["f.0/0"], ["f.0/1"], ["f.0/0"]]),  # those that were not seen for longest
        (
            ["f.0", "f.3"],
            {"f.0": 1, "f.3": 1},
            [2, 2, 4],
            [["f.0/0", "f.0/1"], ["f.3/0", "f.3/1"], ["f.0/0", "f.0/1", "f.3/0", "f.3/1"]],
        ),
        # the cheap layer does not use up what the other one needs
        (["f.0", "f.3"], {"f.0": 1, "f.3": 9}, [2, 2, 8, 18], [["f.0/0", "f.0/1"], [], [], ["f.3/0", "f.3/1"]]),
    ],
)
def test_units_take_turns(
    layers: list[str], costs: dict[str, float], left: list[float], expected: list[list[str]]
) -> None:
    assert session(layers, costs, left) == expected
