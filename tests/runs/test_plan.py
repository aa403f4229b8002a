"""What a plan says of the network before anything is made."""

import logging
from typing import Any

import pytest
from configs import chosen
from program import PLAIN, SHORT
from tiny_networks import Tiny

from featviz.models.model import Model
from featviz.runs.build import build_run
from featviz.runs.plan import make_plan

AS_THEY_ARE: dict[str, Any] = {"mean": (0.0,), "std": (1.0,), "weights": "given"}


@pytest.mark.parametrize(
    ("changed", "told"),
    [({}, True), ({"mean": (0.5,)}, False), ({"std": (0.5, 0.5, 0.5)}, False), ({"weights": "random"}, False)],
    ids=str,
)
def test_values_that_are_handed_on_as_they_are_are_told_in_plain_words(
    changed: dict[str, Any], told: bool, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    settings = AS_THEY_ARE | changed
    model = Model("tiny", Tiny(), settings["mean"], settings["std"], 48, settings["weights"])
    make_plan(build_run(chosen(*SHORT, *PLAIN), model))
    words = [line for line in caplog.messages if "values from 0 to 1 as they are" in line]
    assert len(words) == told
    assert all("model.mean=" in line and "featviz.Model" in line for line in words)
