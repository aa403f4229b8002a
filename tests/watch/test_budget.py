"""What may be spent, on a clock that is set by hand."""

from math import inf

import pytest

from featviz.watch.budget import Budget, Costs


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def fail_after(seconds: float, clock: Clock) -> None:
    clock.now += seconds
    raise RuntimeError


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_share_of_the_training_is_saved_up(clock: Clock) -> None:
    budget = Budget(0.1, clock)
    clock.now += 50
    assert budget.left == pytest.approx(5)
    with budget.spending():
        clock.now += 2
        assert budget.left == pytest.approx(3)  # goes down while it is spent
    assert budget.spent == 2
    clock.now += 10
    assert budget.training == pytest.approx(60)
    assert budget.left == pytest.approx(4)


def test_what_was_too_much_is_paid_back(clock: Clock) -> None:
    budget = Budget(0.1, clock)
    with budget.spending():
        clock.now += 2
    assert budget.left == pytest.approx(-2)
    clock.now += 20
    assert budget.left == pytest.approx(0)


def test_time_counts_where_looking_fails(clock: Clock) -> None:
    budget = Budget(0.1, clock)
    with pytest.raises(RuntimeError), budget.spending():
        fail_after(2, clock)
    assert budget.spent == 2


def test_no_budget_is_no_bound(clock: Clock) -> None:
    assert Budget(None, clock).left == inf


def costs(**seconds: float) -> Costs:
    found = Costs()
    for count, value in seconds.items():
        found.note(int(count[1:]), value)
    return found


@pytest.mark.parametrize(
    ("measured", "count", "seconds"),
    [
        ({}, 4, 0),
        ({"n1": 2.0}, 4, 8),
        ({"n4": 2.0}, 1, 2),
        ({"n1": 2.0, "n5": 4.0}, 3, 3),
        ({"n1": 2.0, "n5": 4.0}, 9, 6),
        ({"n1": 4.0, "n5": 2.0}, 3, 4),  # more never take less
    ],
)
def test_costs_between_those_measured(measured: dict[str, float], count: int, seconds: float) -> None:
    assert costs(**measured).of(count) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("measured", "seconds", "count"),
    [
        ({"n1": 1.0, "n4": 4.0}, 4, 4),
        ({"n1": 1.0, "n4": 4.0}, 2.5, 2),
        ({"n1": 1.0, "n4": 4.0}, 0.5, 0),
        ({"n1": 1.0, "n4": 1.5}, 1.2, 0),  # four are hardly more than one: they wait for each other
        ({"n1": 1.0, "n4": 1.5}, 1.6, 4),
    ],
)
def test_how_many_there_is_time_for(measured: dict[str, float], seconds: float, count: int) -> None:
    assert costs(**measured).most_within(seconds, 4) == count
