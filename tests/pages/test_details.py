"""What a unit's page shows beside its pictures, from the tables of one run and of several."""

from pathlib import Path
from typing import Any

import pytest
from run_folders import (
    UNIT_TABLES,
    details,
    exemplar_row,
    layer_data,
    write_exemplars,
    write_json,
    write_run,
    write_table,
)

from featviz.pages import layer_files, write_site

UNIT = {"layer": "layer1", "module": "blocks.0", "filter": 0}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return write_exemplars(tmp_path / "run")


def of_unit(run: Path, number: int = 0) -> dict[str, Any]:
    write_site([run], run)
    return details(run, number)


def test_every_table_is_shown(run: Path) -> None:
    unit = of_unit(run)
    (weakest,) = unit["weakest"]
    assert weakest == {"rank": 1, "photo": "photos/1.jpg", "image": "photos/000001.jpg", "mean": -1, "max": 0}
    assert [one["tenth"] for one in unit["tenths"]] == list(range(1, 11))
    assert unit["histogram"] == {
        "figure": "mean",
        "low": 0,
        "high": 1,
        "counts": [1] * 40,
        "photos": 40,
        "mean": 0.5,
        "std": 0.25,
    }
    assert unit["speaks_for"] == [{"class": 1, "name": "goldfish", "value": 0.3}]
    assert unit["nearest"] == {"activations": [[2, 0.9]], "weights": [[2, 0.9]]}
    both = {"exciting": [[4, 0.2]], "inhibiting": [[4, -0.2]]}
    assert unit["inputs"] == {"source": None, "module": "stem", "gradient": both, "weights": both}
    assert layer_data(run)["speaks_for"] == ["goldfish"] * 3


def test_exemplars_come_by_rank_with_their_patch(run: Path) -> None:
    unit = of_unit(run, 1)
    assert [one["rank"] for one in unit["exemplars"]] == [1, 2]
    assert [(one["sprite"], one["cell"]) for one in unit["exemplars"]] == [(0, 2), (0, 3)]
    first = unit["exemplars"][0]
    assert first["patch"] == "patches/layer1/0001_01.png"
    assert first["map"] == "maps/layer1/0001_01.png"
    assert (first["size"], first["mean"], first["max"]) == ([48, 24], 1, 3)


@pytest.mark.parametrize("name", UNIT_TABLES)
def test_tables_that_older_runs_lack_are_left_out(name: str, run: Path) -> None:
    (run / name).unlink()
    unit = of_unit(run)
    part = {"weakest.csv": "weakest", "histograms.csv": "histogram"}.get(name, Path(name).stem)
    assert part not in unit
    assert unit["exemplars"]


def test_units_that_answer_to_all_photos_alike_are_said(tmp_path: Path) -> None:
    run = write_exemplars(tmp_path, units=(0, 1))
    alike = {"by": "mean", "mean": 0, "max": 0}
    weakest = {**UNIT, **alike, "rank": 1, "photo": "a.png", "image": ""}
    write_table(run / "exemplars.csv", [exemplar_row(0, rank, **alike) for rank in (1, 2)] + [exemplar_row(1, 1)])
    write_table(run / "weakest.csv", [{**weakest, "filter": unit} for unit in (0, 1)])
    write_site([run], run)
    assert layer_data(run)["silent"] == [0]


def test_the_layer_that_feeds_it_is_linked_where_the_network_has_it(run: Path) -> None:
    layers = [{"module": "stem", "names": []}, {"module": "blocks.0", "names": []}]
    write_json(run / "network.json", {"model": "small", "weights": "given", "network": "aa", "layers": layers})
    assert of_unit(run)["inputs"]["source"] == "l0"


def test_inputs_of_two_layers_are_those_of_one(run: Path) -> None:
    """The page shows one layer's units."""
    row = {**UNIT, "by": "gradient", "sign": 1, "rank": 1, "source": "stem", "source_filter": 1, "value": 0.5}
    write_table(run / "inputs.csv", [row, row | {"source": "other", "rank": 2}])
    assert of_unit(run)["inputs"]["gradient"] == {"exciting": [[1, 0.5]], "inhibiting": []}


def test_inputs_are_of_the_layer_that_most_tables_are_about(tmp_path: Path) -> None:
    one, two = write_run(tmp_path / "one"), write_exemplars(tmp_path / "two")
    row = {**UNIT, "by": "weights", "sign": 1, "rank": 1, "source": "further", "source_filter": 1, "value": 0.5}
    write_table(one / "inputs.csv", [row])
    write_site([one, two], tmp_path / "site")
    inputs = details(tmp_path / "site", 0)["inputs"]
    assert (inputs["module"], inputs["weights"]["exciting"]) == ("stem", [[4, 0.2]])


def test_the_histogram_is_of_the_figure_that_photos_are_ranked_by(run: Path) -> None:
    counts = {f"c{at}": at for at in range(40)}
    rows = [UNIT | {"figure": figure, "low": 0, "high": 1} | counts for figure in ("max", "mean")]
    write_table(run / "histograms.csv", rows)
    assert of_unit(run)["histogram"]["figure"] == "mean"


@pytest.mark.parametrize("column", ["c0", "c39"])
def test_a_histogram_without_all_its_counts_is_said(column: str, run: Path) -> None:
    text = (run / "histograms.csv").read_text()
    (run / "histograms.csv").write_text(text.replace(f",{column}", ",other", 1))
    assert "histogram" not in of_unit(run)


def test_each_table_is_that_of_the_first_run_that_has_it(tmp_path: Path) -> None:
    one, two = write_run(tmp_path / "one"), write_exemplars(tmp_path / "two")
    write_table(one / "nearest.csv", [UNIT | {"by": "weights", "rank": 1, "other": 9, "value": 0.5}])
    write_site([one, two], tmp_path / "site")
    assert details(tmp_path / "site", 0)["nearest"] == {"activations": [[2, 0.9]], "weights": [[9, 0.5]]}


def test_details_are_in_files_of_so_many_units(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layer_files, "PER_DETAILS", 2)
    run = write_exemplars(tmp_path, units=range(60, 66), k=1)
    write_site([run], run)
    assert len(list((run / "report/data").glob("*_d?.js"))) == 3
    for number in (60, 61, 62, 65):
        assert details(run, number)["exemplars"][0]["patch"] == f"patches/layer1/{number:04d}_01.png"
