"""Atlases of a tiny network: their files, resuming, and bad input."""

from pathlib import Path

import numpy as np
import pytest
from photo_folder import NAMES, table, tiny
from PIL import Image
from program import PLAIN, TINY, made, refused, run

import featviz

pytestmark = pytest.mark.usefixtures("photos_here")

QUICK = ("schedule.size=48", "schedule.steps=1", "restarts=0", "batch_size=64", *PLAIN)
LOGGED = "logger=tensorboard"
TASK = (*TINY, "task=atlas", "data=photos", "layer=second", "atlas.layout=pca", "atlas.grid=2", *QUICK)


@pytest.mark.end_to_end
def test_the_files_of_a_run() -> None:
    folder = made(*TASK, "layer=first,second", "atlas.levels=2", "atlas.photos=4", "atlas.projected=20", LOGGED)
    cells, points = table(folder / "atlas.csv"), table(folder / "points.csv")
    assert len(points) == 2 * len(NAMES)
    rows = {(row["layer"], row["filter"]): row for row in table(folder / "results.csv")}
    assert {(cell["layer"], cell["filter"]) for cell in cells} == {*rows}
    for layer, filters in (("first", 6), ("second", 20)):
        mine = [cell for cell in cells if cell["layer"] == layer]
        assert {cell["grid"] for cell in mine} == {"2", "4"}
        vectors = np.load(folder / f"cells_{layer}.npy")
        assert vectors.shape == (len(mine), filters)
        of_layer = [point for point in points if point["layer"] == layer]
        for cell in mine:
            grid = int(cell["grid"])
            inside = [
                point
                for point in of_layer
                if [min(int(float(point[axis]) * grid), grid - 1) for axis in "xy"]
                == [int(cell["column"]), int(cell["row"])]
            ]
            assert len(inside) == int(cell["count"]) >= 2
            with Image.open(folder / cell["image"]) as picture:
                assert picture.size == (48, 48)
                assert picture.info["objective"] == "direction"
        with Image.open(folder / f"atlas_{layer}.png") as sheet:
            assert sheet.width > 300
    photos = table(folder / "atlas_photos.csv")
    assert {(row["layer"], row["filter"]) for row in photos} == {*rows}
    assert max(int(row["rank"]) for row in photos) <= 4
    assert all((folder / row["image"]).is_file() for row in photos)
    config = next((folder / "tensorboard").rglob("projector_config.pbtxt")).read_text()
    assert config.count("embeddings {") == 2
    assert len(next((folder / "tensorboard").rglob("metadata.tsv")).read_text().split()) == 20


@pytest.mark.end_to_end
def test_a_run_goes_on_without_another_pass_over_photos() -> None:
    assert run(*TASK, "hydra.run.dir=there").status == 0
    folder = Path("there")
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.suffix in (".csv", ".npy", ".png", ".jpg")}
    lost = next(folder.glob("images/second/*.png"))
    lost.unlink()
    moved = folder.rename("moved")  # configurations name files by their whole path
    outcome = run(*TASK, "resume=moved", "batch_size=50")
    assert outcome.status == 0, outcome
    assert "are laid out by" not in outcome.out
    for path, content in before.items():
        if path.name != "results.csv":  # which has seconds
            assert (moved / path.relative_to(folder)).read_bytes() == content, path
    assert not folder.exists()
    assert "is another run: objective.cosine_power was 2.0 and is 4" in refused(
        *TASK, "resume=moved", "objective.cosine_power=4"
    )


def test_python_gives_the_same_for_equal_seeds() -> None:
    settings = ["atlas.layout=pca", *QUICK]
    one, again = (featviz.atlas(tiny(), "photos", "second", grid=2, levels=1, overrides=settings) for _ in range(2))
    (layer,), (other,) = one.layers, again.layers
    assert layer.vectors.tobytes() == other.vectors.tobytes()
    assert one.result.images.numpy().tobytes() == again.result.images.numpy().tobytes()
    assert len(one.result.images) == len(layer.cells)


def test_a_layer_without_positions_gives_one_vector_a_photo() -> None:
    settings = ["atlas.layout=pca", *QUICK]
    network = tiny()
    made_of = featviz.atlas(network, "photos", "last", per_photo=3, grid=2, levels=1, overrides=settings)
    assert len(made_of.layers[0].points) == len(NAMES) * 3
    whole = featviz.Model("whole", network.network, (0.45,), (0.25,), 32, "given")
    made_of = featviz.atlas(
        whole, "photos", "last", per_photo=3, grid=2, levels=1, overrides=[*settings, "schedule.size=32"]
    )
    assert len(made_of.layers[0].points) == len(NAMES)


BAD = {
    "data=nowhere": "there is no photo or folder 'nowhere'",
    "layer=secnd": "unknown layer 'secnd'; nearest: second",
    "atlas.grid=9": "70 activations are fewer than the 81 cells of atlas.grid=9; expected more photos",
    "atlas.min_points=71": "second: no cell has as many as 71 activations",
    "filters=3": "task=atlas does not use filters; expected it left out",
    "objective=channel": "task=atlas draws directions, and objective=channel has none; expected direction",
}


@pytest.mark.end_to_end
@pytest.mark.parametrize(("argument", "words"), BAD.items())
def test_bad_input_is_one_line(argument: str, words: str) -> None:
    assert words in refused(*TASK, argument)
    assert not list(Path("outputs").rglob("*.csv"))
