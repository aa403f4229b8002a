"""The atlas of a run in its site's data: whole, unfinished, damaged and hostile."""

from pathlib import Path
from typing import Any

import pytest
from run_folders import cell_row, received, site_data, write_atlas, write_run

from featviz.pages import write_site


def atlas_of(folder: Path) -> dict[str, Any]:
    write_site([folder], folder)
    (atlas,) = site_data(folder)["atlases"]
    return received(folder, atlas["file"])


def test_levels_are_columns_from_coarse_to_fine(tmp_path: Path) -> None:
    data = atlas_of(write_atlas(tmp_path))
    assert (data["points"], data["method"], data["run"], data["cell"]) == (50, "UMAP", 0, 96)
    coarse, fine = data["levels"]
    assert (coarse["grid"], fine["grid"]) == (2, 4)
    cells = coarse["cells"]
    assert (cells["x"], cells["y"], cells["count"]) == ([0, 1], [1, 1], [4, 5])
    assert cells["units"] == [[[5, 2.125], [0, 0.333333]]] * 2
    assert cells["classes"] == [[[1, "goldfish", 0.5]]] * 2
    assert data["photos"] == [["photos/000001.jpg", "photos/1.jpg"]]
    assert cells["photos"] == [[0], [0]]
    assert (cells["sprite"] + fine["cells"]["sprite"], cells["cell"] + fine["cells"]["cell"]) == ([0] * 3, [0, 1, 2])
    (sprite,) = data["sprites"]
    assert (tmp_path / sprite["file"]).is_file()
    assert sprite["rows"] == 1


def test_the_layer_of_an_atlas_is_there_and_its_cells_are_no_units(tmp_path: Path) -> None:
    write_site([write_atlas(tmp_path)], tmp_path)
    site = site_data(tmp_path)
    (layer,) = site["models"][0]["layers"]
    assert (layer["module"], layer["names"], layer["with_pictures"], layer["file"]) == ("blocks.0", ["layer1"], 0, None)
    assert [(atlas["model"], atlas["layer"]) for atlas in site["atlases"]] == [("m0", "l0")]


def test_an_atlas_beside_pictures_of_the_same_layer(tmp_path: Path) -> None:
    runs = [write_run(tmp_path / "units"), write_atlas(tmp_path / "atlas")]
    write_site(runs, tmp_path / "site")
    site = site_data(tmp_path / "site")
    (layer,) = site["models"][0]["layers"]
    assert layer["with_pictures"] == 3
    (atlas,) = site["atlases"]
    data = received(tmp_path / "site", atlas["file"])
    assert data["run"] == 1
    assert data["photos"][0][0] == "../atlas/photos/000001.jpg"


def test_an_unfinished_run_shows_the_pictures_that_there_are(tmp_path: Path) -> None:
    write_atlas(tmp_path, [cell_row(at, 0, 2, at, 0, image="") for at in range(2)])
    (tmp_path / "images/layer1/0001.png").unlink()
    cells = atlas_of(tmp_path)["levels"][0]["cells"]
    assert cells["sprite"] == [0, -1]
    assert site_data(tmp_path)["runs"][0]["problems"] == ["images/layer1/0001.png is missing"]


DAMAGED = {
    "column": {"column": 2},
    "row": {"row": -1},
    "grid": {"grid": 0},
    "level": {"level": 99},
    "count": {"count": 0},
    "a unit": {"unit_1": "many"},
    "a value": {"above_1": "x"},
    "an image": {"image": "../../secret.png"},
}


@pytest.mark.parametrize("what", DAMAGED)
def test_a_damaged_line_is_left_out_and_told(tmp_path: Path, what: str) -> None:
    write_atlas(tmp_path, [cell_row(0, 0, 2, 0, 1), cell_row(1, 0, 2, 1, 1) | DAMAGED[what]])
    assert atlas_of(tmp_path)["levels"][0]["cells"]["x"] == [0]
    (problem,) = site_data(tmp_path)["runs"][0]["problems"]
    assert problem.startswith("atlas.csv is damaged (")


def test_hostile_names_are_only_text(tmp_path: Path) -> None:
    name = "</script><script>alert(1)</script>"
    write_atlas(tmp_path, [cell_row(0, 0, 2, 0, 1, name_1=name, method=name)])
    data = atlas_of(tmp_path)
    assert data["method"] == data["levels"][0]["cells"]["classes"][0][0][1] == name
    assert all("<script" not in path.read_text() for path in (tmp_path / "report/data").glob("*.js"))


def test_equal_runs_give_equal_bytes(tmp_path: Path) -> None:
    one, other = write_atlas(tmp_path / "a/run"), write_atlas(tmp_path / "b/run")
    for run in (one, other):
        write_site([run], run)
    names = sorted(path.relative_to(one) for path in one.rglob("*") if path.is_file())
    assert names == sorted(path.relative_to(other) for path in other.rglob("*") if path.is_file())
    assert all((one / name).read_bytes() == (other / name).read_bytes() for name in names)
