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
    made.budget, made._looks = Clocked(), 1  # the first look shows all, whatever there is time for
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


def test_what_the_last_look_had_no_time_for_is_shown_at_the_end() -> None:
    watch = featviz.Watch(layers=["f.0", "f.3"], filters="0-1", **QUICK)
    made = Session(watch.settings, Net(), [CSVLogger("logs")])
    made.finish(Moment(0, 0))  # before any look was due
    made.budget = Clocked()
    assert [len(made.look(Moment(0, 2))), len(made.look(Moment(1, 4)))] == [4, 0]  # nothing is left after the first
    for layer, seconds in {"f.0": 1.0, "f.3": 9.0}.items():
        made.costs[layer] = Costs()
        made.costs[layer].note(1, seconds)
    made.budget.rest, made.look_costs = 2.0, 0.0
    assert [row["layer"] for row in made.look(Moment(2, 6))] == ["f.0", "f.0"]
    made.finish(Moment(3, 7))
    assert [made._last[name, 0] for name in ("f.0", "f.3")] == [2, 3]
