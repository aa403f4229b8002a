"""The numbers that a search goes by."""

import math
from typing import Any

import pytest
from configs import chosen
from refusals import assert_refused

from featviz.config import task_options
from featviz.config.checks import check_settings
from featviz.errors import FeatvizError
from featviz.tasks.tune.goals import GOALS, goals_of

GOAL = "search.goals"


def row(layer: str, number: int, activation: float = 1.0, **more: Any) -> Any:
    return {"layer": layer, "filter": number, "activation": activation, "robustness": 1.0, "status": "ok"} | more


def test_of_several_layers_the_one_that_gains_least_counts() -> None:
    usual = {("low", 0): 2.0, ("low", 1): 1.0, ("low", 2): 1.0, ("high", 0): 10.0, ("high", 1): 0.0}
    gains = {("low", 0): 4.0, ("low", 1): 3.0, ("low", 2): 1.0, ("high", 0): 15.0, ("high", 1): 9.0}
    rows = [row(*unit, gain) for unit, gain in gains.items()]
    assert GOALS["robust_activation"].measure(rows, usual) == 1.5  # the medians are 2 and 1.5


def test_transfer_is_the_mean_over_judges_and_pictures_in_which_what_failed_is_zero() -> None:
    first = row("logits", 0, transfer_one=0.8, transfer_one_top1=1.0, transfer_two=0.4, transfer_two_top1=0.0)
    failed = row(
        "logits", 1, transfer_one=math.nan, transfer_one_top1=math.nan, transfer_two=0.2, transfer_two_top1=0.0
    )
    assert GOALS["transfer"].measure([first, failed], {}) == pytest.approx((0.8 + 0.4 + 0 + 0.2) / 4)


def test_high_frequencies_and_seconds_are_better_the_fewer() -> None:
    rows = [row("x", n, high_frequency=share, seconds=n + 1.0) for n, share in enumerate((0.1, 0.5, math.nan, 0.2))]
    assert GOALS["high_frequency"].measure(rows, {}) == 0.2
    assert GOALS["seconds"].measure(rows, {}) == 2.5
    assert {name for name, goal in GOALS.items() if goal.best([1, 2]) == 1} == {"high_frequency", "seconds"}


@pytest.mark.parametrize(
    ("typed", "got", "right"),
    [
        ("[transfr]", "transfr", "transfer"),
        ("[]", [], f"some of {', '.join(GOALS)}, each once"),
        ("[seconds,seconds]", ["seconds", "seconds"], f"some of {', '.join(GOALS)}, each once"),
    ],
)
def test_goals_that_cannot_be_gone_by(typed: str, got: object, right: str) -> None:
    assert_refused(lambda: check_settings(chosen("+experiment=tune", f"{GOAL}={typed}")), GOAL, got, right)


def test_transfer_needs_judges() -> None:
    with pytest.raises(FeatvizError) as refused:
        goals_of(chosen("+experiment=tune", f"{GOAL}=[transfer]"))
    assert refused.value.setting == "evidence.judges"
    judged = chosen("+experiment=tune", f"{GOAL}=[transfer,seconds]", "evidence.judges=[efficientnet_lite1]")
    assert list(goals_of(judged)) == ["transfer", "seconds"]


def test_every_goal_that_can_be_typed_is_there() -> None:
    assert tuple(GOALS) == task_options.GOALS
