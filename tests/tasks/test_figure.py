"""Figures of runs: which picture stands where, what their rows are called, and what is refused."""

from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from PIL import Image
from refusals import refusal_of
from run_folders import picture_row

import featviz
from featviz.errors import FeatvizError
from featviz.photos.table_rows import ExemplarRow
from featviz.results.files import write_records
from featviz.results.folder import RunFolder
from featviz.results.result import Result
from featviz.results.rows import Row
from featviz.tasks.figure import Unit, parse_units

RED, BLUE = [255, 0, 0], [0, 0, 255]


def row(number: int, **values: object) -> Row:
    default = {"model": "m", "layer": "layer4", "module": "blocks.4", "recipe": "clear", "activation": 4.0, "image": ""}
    return cast(Row, picture_row(number, **default | values))


def write_run(folder: Path, color: list[int], *rows: Row) -> Path:
    picture = torch.tensor(color).reshape(3, 1, 1).expand(3, 8, 8) / 255
    RunFolder(folder).save_chunk(torch.stack([picture] * len(rows)), list(rows))
    return folder


@pytest.fixture
def runs(tmp_path: Path) -> list[Path]:
    """Two recipes, and in the second one a filter less and a dead one."""
    red = write_run(tmp_path / "a", RED, *(row(number) for number in range(3)))
    blue = [row(0, recipe="olah2017"), row(1, recipe="olah2017", status="dead")]
    return [red, write_run(tmp_path / "b", BLUE, *blue)]


def pixels(runs: Any, units: Any, tmp_path: Path, **settings: Any) -> np.ndarray:
    featviz.figure(runs, units, output=tmp_path / "f.png", **settings)
    with Image.open(tmp_path / "f.png") as image:
        return np.array(image.convert("RGB")).astype(int)


def tiles(drawn: np.ndarray, color: list[int]) -> int:
    """How many tiles of a color there are, by the side of the first one."""
    there = (drawn == color).all(2)
    columns = there.any(0).astype(int)
    sides = np.diff(np.concatenate([[0], columns, [0]])).nonzero()[0]
    return round(there.sum() / (sides[1] - sides[0]) ** 2)


@pytest.mark.parametrize(
    ("typed", "units"),
    [
        (7, [Unit(None, 7)]),
        ("1-3", [Unit(None, 1), Unit(None, 2), Unit(None, 3)]),
        (["layer3/7", 2, "2"], [Unit("layer3", 7), Unit(None, 2)]),
        ("blocks.6.0/0-1", [Unit("blocks.6.0", 0), Unit("blocks.6.0", 1)]),
    ],
)
def test_units_as_they_are_typed(typed: Any, units: list[Unit]) -> None:
    assert parse_units(typed) == units


@pytest.mark.parametrize("typed", ["x", "-3", [], "layer4/", [1.5], "3-1"])
def test_units_that_are_none(typed: Any) -> None:
    with pytest.raises(FeatvizError):
        parse_units(typed)


def test_a_row_for_each_recipe_and_a_column_for_each_unit(runs: list[Path], tmp_path: Path) -> None:
    drawn = pixels(runs, [0, 1, 2], tmp_path)
    assert (tiles(drawn, RED), tiles(drawn, BLUE)) == (3, 1)
    rows = [(drawn == color).all(2).any(1).nonzero()[0].mean() for color in (RED, BLUE)]
    assert rows[0] < rows[1]


@pytest.mark.parametrize("units", ["layer4/0", "blocks.4/0"])
def test_a_unit_can_be_called_by_its_layer_or_module(runs: list[Path], units: str, tmp_path: Path) -> None:
    assert tiles(pixels(runs, units, tmp_path), RED) == 1


@pytest.mark.parametrize("rows", ["run", "recipe"])
def test_labels_change_the_figure_and_can_be_named(runs: list[Path], rows: str, tmp_path: Path) -> None:
    key = "a" if rows == "run" else "clear"
    ways: list[Any] = [None, ["ours", "theirs"], {key: "ours"}]
    drawn = [pixels(runs, 0, tmp_path, rows=rows, labels=labels).tobytes() for labels in ways]
    assert len(set(drawn)) == 3


def test_results_of_this_process_are_taken_too(tmp_path: Path) -> None:
    picture = torch.tensor(RED).reshape(1, 3, 1, 1).expand(1, 3, 8, 8) / 255
    assert tiles(pixels(Result(picture, [row(5)]), 5, tmp_path), RED) == 1


def test_a_weak_picture_says_so(tmp_path: Path) -> None:
    plain = write_run(tmp_path / "a", RED, row(0))
    weak = write_run(tmp_path / "b", RED, row(0, reason="weak: filter 7's picture excites it more"))
    assert pixels(weak, 0, tmp_path).shape[0] > pixels(plain, 0, tmp_path).shape[0]


def exemplar(number: int, layer: str) -> ExemplarRow:
    module = {"layer4": "blocks.4", "layer3": "blocks.3"}[layer]
    patch = f"{layer}_{number}.png"
    return ExemplarRow(
        "m", "pretrained", layer, module, number, 1, "mean", 4.0, 9.0, 0, 0, "p.jpg", 0, 0, 8, 8, patch, "p.jpg"
    )


@pytest.mark.parametrize(("rows", "across", "down"), [("recipe", 2, 1), ("layer", 2, 2)])
def test_photos_are_a_row_where_rows_share_them_and_columns_where_not(
    runs: list[Path], rows: str, across: int, down: int, tmp_path: Path
) -> None:
    folder = tmp_path / "exemplars"
    some = [exemplar(number, layer) for layer in ("layer3", "layer4") for number in (0, 1)]
    write_records(folder / "exemplars.csv", ExemplarRow, some)
    for one in some:
        Image.new("RGB", (8, 8), "lime").save(folder / one.patch)
    other = write_run(tmp_path / "c", BLUE, *(row(n, layer="layer3", module="blocks.3") for n in (0, 1)))
    chosen = runs if rows == "recipe" else [runs[0], other]
    drawn = pixels([*chosen, folder], [0, 1], tmp_path, rows=rows)
    assert tiles(drawn, [0, 255, 0]) == across * down
    assert tiles(pixels([*chosen, folder], [0, 1], tmp_path, rows=rows, photos=0), RED) == 2


@pytest.mark.parametrize(
    ("settings", "setting"),
    [
        ({"units": 9}, "units"),
        ({"units": "layer3/0"}, "units"),
        ({"units": 0, "rows": "layer"}, "rows"),
        ({"units": 0, "rows": "recipes"}, "rows"),
        ({"units": 0, "labels": ["one"]}, "labels"),
        ({"units": 0, "labels": {"cleer": "ours"}}, "labels"),
        ({"units": 0, "photos": -1}, "photos"),
        ({"units": 0, "width": 0.1}, "width"),
        ({"units": 0, "runs": "nowhere"}, "runs"),
    ],
)
def test_what_cannot_be_drawn(runs: list[Path], settings: dict[str, Any], setting: str) -> None:
    assert refusal_of(lambda: featviz.figure(**{"runs": runs, **settings})).setting == setting
