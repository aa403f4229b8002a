"""Filters that another filter's picture excites more than their own."""

import logging
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from torch import Tensor, nn

import featviz
from featviz.results.folder import read_rows
from featviz.results.rows import Row, is_doubtful, outcome, own_reason
from featviz.runs.weak_pictures import with_weak_ones

RESPONSES = {  # of filters 0 to 3 to the pictures of 0 to 2
    0: torch.tensor([9.0, 8.0, 1.0, 0.0]),
    1: torch.tensor([3.0, 2.0, 1.5, 0.0]),
    2: torch.tensor([9.5, 0.0, -1.0, 99.0]),
}


def row(number: int, **more: Any) -> Row:
    usual = {"layer": "a", "filter": number, "variant": 0, "status": "ok", "reason": ""}
    return cast(Row, {**usual, "activation": 2.0, "start_activation": 1.0, **more})


def reasons(rows: list[Row], statistic: str | None = "mean", layer: str = "a") -> list[str]:
    return [each["reason"] for each in with_weak_ones(layer, rows, RESPONSES, statistic)]


def test_weak_pictures_say_whose_is_stronger() -> None:
    assert reasons([row(0), row(1), row(2)]) == [
        "",  # 9.5 is about as much as 9
        "weak: the picture of filter 0 excites it 4 times as much as its own",
        "weak: the picture of filter 1 excites it and its own does not",
    ]


@pytest.mark.parametrize(
    "more",
    [
        {"status": "dead"},
        {"variant": 1},
        {"activation": 0.5},  # it rose by falling, as objective=negative has it
        {"layer": "b"},
        {"level": 2.0},  # it was not to have more
        {"filter": 3},  # whose own picture is not known
    ],
)
def test_of_others_nothing_is_said(more: dict[str, Any]) -> None:
    assert reasons([row(**{"number": 1, **more}) if "filter" not in more else row(3)]) == [""]


@pytest.mark.parametrize("statistic", ["max", None])
def test_nothing_is_said_of_what_is_no_mean(statistic: str | None) -> None:
    assert reasons([row(1)], statistic) == [""]


def test_what_is_said_is_said_once_and_taken_back() -> None:
    start = row(1, reason="from start 2: it did not move before")
    (told,) = with_weak_ones("a", [start], RESPONSES, "mean")
    assert told["reason"].startswith("from start 2: it did not move before; weak: the picture of filter 0")
    assert with_weak_ones("a", [told], RESPONSES, "mean") == [told]
    assert own_reason(told) == start["reason"]
    assert with_weak_ones("a", [told], {1: RESPONSES[1]}, "mean") == [start]
    assert (outcome(told), is_doubtful(told), is_doubtful(start)) == ("2.00, weak", True, False)


class Misled(nn.Module):
    """Filter 1 answers to what filter 0 answers to, but its gradient leads elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.pair = nn.Conv2d(3, 2, 5), nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        one, other = self.conv(x).unbind(1)
        maps: Tensor = self.pair(torch.stack([one, one.detach() + 0.05 * other], 1))
        return maps


def test_a_run_tells_them(caplog: pytest.LogCaptureFixture) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        model = featviz.Model("misled", Misled(), size=24)
    overrides = ["schedule.size=24", "schedule.steps=8", "logger=none", "callbacks=none", "transforms=none"]
    with caplog.at_level(logging.WARNING):
        result = featviz.visualize(
            model, layer="pair", filters=[0, 1], recipe="olah2017", output="there", overrides=overrides
        )
    assert [each["status"] for each in result.rows] == ["ok", "ok"]
    assert result.rows[0]["reason"] == ""
    assert "weak: the picture of filter 0 excites it" in result.rows[1]["reason"]
    assert "pair: weak pictures" in caplog.text
    assert [each["reason"] for each in read_rows(Path("there"))] == [each["reason"] for each in result.rows]
