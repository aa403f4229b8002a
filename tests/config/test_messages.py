"""What is said of settings that do not exist."""

import pytest

from featviz.config.compose import compose_default
from featviz.config.messages import readable_errors
from featviz.errors import FeatvizError

LAST_PARTS = {
    "lr=0.1": "optimizer.lr",
    "steps=100": "schedule.steps",
    "size=64": "model.size",
    "mean=0.5": "model.mean",
    "number=3": "schedule.number",
    "checkpoint.every=9": "callbacks.checkpoint.every",
}


@pytest.mark.parametrize("typed", LAST_PARTS)
def test_the_last_part_of_a_name_leads_to_the_whole(typed: str) -> None:
    chosen = ["model=own", "model.target=a.B", "schedule=octaves"]
    with pytest.raises(FeatvizError, match="unknown setting") as caught, readable_errors([*chosen, typed]):
        compose_default([*chosen, typed])
    assert LAST_PARTS[typed] in str(caught.value).partition("nearest: ")[2].partition(" (")[0].split(", ")
    assert "optimizer.lr_scale" not in str(caught.value)


def test_the_only_one_is_the_only_one_told() -> None:
    with (
        pytest.raises(FeatvizError, match=r"unknown setting 'lr'; nearest: optimizer\.lr \("),
        readable_errors(["lr=1"]),
    ):
        compose_default(["lr=1"])


def test_others_are_spelt_nearly_so() -> None:
    with pytest.raises(FeatvizError, match=r"nearest: optimizer\.lr, "), readable_errors(["optimizr.lr=1"]):
        compose_default(["optimizr.lr=1"])
