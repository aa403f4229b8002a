"""The tables of how a run's units relate, and of its network's layers."""

import json
import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch
from photo_folder import table, tiny
from torch import Tensor, nn

from featviz.models.model import Model
from featviz.models.tracing import trace
from featviz.objectives import Channel, Direction
from featviz.runs.network_table import network_table
from featviz.runs.relations import Units, has_relations, units_of_plan, write_relations


def test_the_networks_layers() -> None:
    model = tiny()
    found = network_table(model, trace(model), ["second", "layer4"])
    assert (found["model"], found["weights"], found["network"], found["size"]) == ("tiny", "given", model.checksum, 48)
    lines = {line["module"]: line for line in found["layers"]}
    assert list(lines) == ["first", "bn", "act", "second", "pair", "pair[0]", "pair[1]", "last", "unused"]
    assert lines["second"] == {
        "module": "second",
        "names": lines["second"]["names"],
        "type": "Conv2d",
        "shape": [20, 12, 12],
        "stride": 4,
        "units": 20,
    }
    assert (lines["unused"]["shape"], lines["unused"]["units"]) == (None, None)
    assert ["layer4" in line["names"] for line in found["layers"]].count(True) == 1


def test_a_single_call_is_a_layer_in_its_place() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one, self.act, self.two = nn.Conv2d(3, 4, 1), nn.ReLU(), nn.Conv2d(4, 4, 1)

        def forward(self, x: Tensor) -> Tensor:
            return self.act(self.two(self.act(self.one(x))))

    model = Model("net", Twice(), (0.5,), (0.25,), 32, "random")
    lines = network_table(model, trace(model), ["act:1"])["layers"]
    assert [line["module"] for line in lines] == ["one", "act:1", "two", "act"]


def test_the_tables_of_weights(tmp_path: Path) -> None:
    model = tiny()
    assert not has_relations(tmp_path)
    write_relations(tmp_path, Units(model, trace(model), {"second": [3, 1], "first": [0]}))
    assert has_relations(tmp_path)
    inputs, nearest = table(tmp_path / "inputs.csv"), table(tmp_path / "nearest.csv")
    assert {(row["layer"], row["filter"], row["source"]) for row in inputs} == {
        ("second", "3", "first"),
        ("second", "1", "first"),
    }
    weight = model.network.second.weight[3].flatten(1).sum(1)  # times the norm's scale, which is one
    strongest = next(row for row in inputs if row["filter"] == "3" and row["sign"] == "1" and row["rank"] == "1")
    assert int(strongest["source_filter"]) == int(weight.argmax())
    assert float(strongest["value"]) == pytest.approx(weight.max().item(), rel=1e-3)
    assert {(row["layer"], row["filter"]) for row in nearest} == {("second", "3"), ("second", "1"), ("first", "0")}
    assert {line["module"] for line in json.loads((tmp_path / "network.json").read_text())["layers"]} > {"first"}


def test_a_network_that_fails_on_the_way_keeps_the_rest(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    class OneAtATime(nn.Module):
        """Takes no four copies of a picture."""

        def forward(self, x: Tensor) -> Tensor:
            if len(x) > 2:
                raise RuntimeError("two at most")
            return x.exp()

    with torch.random.fork_rng():
        network = nn.Sequential(nn.Conv2d(3, 8, 3), OneAtATime(), nn.Conv2d(8, 9, 3))
    model = Model("net", network, (0.5,), (0.25,), 32, "random")
    with caplog.at_level(logging.WARNING):
        write_relations(tmp_path, Units(model, trace(model), {"1": [0, 1, 2, 3], "0": [0]}))
    assert "1: its weights are not compared: two at most" in caplog.text
    assert {row["layer"] for row in table(tmp_path / "nearest.csv")} == {"0"}


@pytest.mark.parametrize(
    ("objective", "wanted"), [(Channel("second", [0]), [4, 2]), (Direction("second", [0], torch.ones(1, 20)), [])]
)
def test_units_are_filters_with_a_row_and_never_directions(objective: Any, wanted: list[int]) -> None:
    model = tiny()
    layer = SimpleNamespace(name="second", filters=(4, 4, 2, 2, 7))
    run = SimpleNamespace(device=torch.device("cpu"))
    method = SimpleNamespace(objective=lambda **_: objective)
    plan = SimpleNamespace(model=model, traced=trace(model), layers=[layer], method=method, run=run)
    rows = [{"layer": "second", "filter": number} for number in (2, 4)]
    assert units_of_plan(cast(Any, plan), cast(Any, rows)).filters == {"second": wanted}
