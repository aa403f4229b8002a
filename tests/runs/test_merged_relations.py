"""The tables of shards, put together."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from photo_folder import table

from featviz.results.files import write_records
from featviz.results.relation_rows import NearestRow
from featviz.runs.merged_relations import merge_relations


def part(path: Path, numbers: list[int], layer: str = "layer3") -> Any:
    """A shard's folder: each filter has one that is like it, whose number tells the folder."""
    rows = [NearestRow(layer, "m", number, "weights", 1, 100 * len(path.name), 0.5) for number in numbers]
    write_records(path / "nearest.csv", NearestRow, rows)
    (path / "network.json").write_text(path.name)
    return SimpleNamespace(folder=SimpleNamespace(path=path))


def merged(folder: Path, owners: dict[int, Any], *others: Any) -> list[int]:
    """The filters whose lines are in the folder then."""
    sources = {("layer3", number, 0): owner for number, owner in owners.items()}
    rows = [{"layer": "layer3", "filter": number} for number in sorted(owners)]
    merge_relations(cast(Any, sources), [*owners.values(), *others], cast(Any, rows), folder)
    return [int(row["filter"]) for row in table(folder / "nearest.csv")]


def test_each_filters_lines_come_from_where_it_is(tmp_path: Path) -> None:
    one, other = part(tmp_path / "a", [0, 2, 1]), part(tmp_path / "bb", [3, 1, 9])
    assert merged(tmp_path / "c", {0: one, 1: other, 2: one, 3: other}) == [0, 1, 2, 3]
    assert [row["other"] for row in table(tmp_path / "c/nearest.csv")] == ["100", "200", "100", "200"]
    assert (tmp_path / "c/network.json").read_text() == "a"
    assert not (tmp_path / "c/inputs.csv").exists()


def test_an_earlier_merge_that_has_pictures_but_no_tables_yet(tmp_path: Path) -> None:
    one, other = part(tmp_path / "a", [0]), part(tmp_path / "bb", [1])
    whole = SimpleNamespace(folder=SimpleNamespace(path=tmp_path / "c"))
    (tmp_path / "c").mkdir()
    assert merged(tmp_path / "c", {0: whole, 1: whole}, one, other) == [0, 1]
    assert (tmp_path / "c/network.json").read_text() == "a"


@pytest.mark.parametrize(
    "text", ["", "layer,filter\nlayer3,0\n", "\x00\n", "layer,module,filter,by,rank,other,value\na\n"]
)
def test_damaged_ones_are_left_out(tmp_path: Path, text: str) -> None:
    one, other = part(tmp_path / "a", [0]), part(tmp_path / "bb", [1])
    (tmp_path / "a/nearest.csv").write_text(text)
    assert merged(tmp_path / "c", {0: one, 1: other}) == [1]
