"""Concepts of photos, and what can be done with them: pictures, photos, filters behind a photo."""

import json
from pathlib import Path

import pytest
from photo_folder import table
from PIL import Image
from program import PLAIN, TINY, made, refusal, run
from refusals import refusal_of
from tiny_networks import Tiny

import featviz
from featviz.models.dictionaries import read_dictionary
from featviz.pages.run_folder import read_run
from featviz.results.folder import read_rows

TASK = (*TINY, "task=concepts", "data=photos", "layer=second", "concepts=4")
pytestmark = pytest.mark.usefixtures("photos_here")


@pytest.mark.end_to_end
@pytest.mark.parametrize("by", ["nmf", "sae"])
def test_concepts_are_shown_like_filters(by: str) -> None:
    folder = made(*TASK, f"by={by}", "limit=20", "k=2", "epochs=2", output="my out=put, 1@home")
    (line,), rows = table(folder / "dictionaries.csv"), table(folder / "concepts.csv")
    assert (line["module"], line["method"], line["concepts"], line["photos"]) == ("second", by, "4", "20")
    assert int(line["positions"]) == 20 * 12 * 12
    assert 0 < float(line["r2"]) <= 1
    assert [row["concept"] for row in rows] == list("0123")
    dictionary = read_dictionary(folder / line["file"])
    assert (dictionary.concepts, dictionary.method) == (4, by)
    layer = f"layer=second@{folder / line['file']}"
    pictures = made(*TINY, *PLAIN, layer, "filters=0-3", "schedule.size=48", "schedule.steps=3", output="pictures")
    results = table(pictures / "results.csv")
    assert {row["module"] for row in results} == {f"second@{dictionary.label}"}
    assert [row["filter"] for row in results] == [row["concept"] for row in results] == list("0123")
    assert [row.get("concept") for row in read_rows(pictures)] == [0, 1, 2, 3]
    assert all((pictures / row["image"]).is_file() for row in results)
    assert "layer" in json.loads((pictures / "inputs.json").read_text())  # a run with another file goes on nowhere


@pytest.mark.end_to_end
def test_pages_tell_the_name_of_the_file_and_not_its_folder() -> None:
    folder = made(*TASK, "by=pca", "limit=20", output="secret place")
    layer = f"layer=second@{folder / 'second_pca.safetensors'}"
    shown = (*TINY, layer, "filters=0-1", "schedule.size=48", "schedule.steps=2", "logger=none", "callbacks=none")
    pictures = made(*shown, output="pictures")
    names = [name for one in json.loads((pictures / "network.json").read_text())["layers"] for name in one["names"]]
    assert "second@second_pca.safetensors" in names
    assert set(read_run(pictures).names.values()) == {("second@second_pca.safetensors",)}
    assert (pictures / "index.html").is_file()
    pages = [file.read_bytes() for file in (pictures / "report").rglob("*") if file.is_file()]
    assert not any(b"secret place" in page for page in pages)


@pytest.mark.end_to_end
def test_the_photos_of_concepts_and_the_concepts_of_a_photo() -> None:
    folder = made(*TASK, "limit=20", "by=pca")
    layer = f"layer=second@{folder / 'second_pca.safetensors'}"
    exemplars = made(*TINY, "task=exemplars", "data=photos", layer, "filters=0-3", "k=3", "report=none", output="found")
    rows = table(exemplars / "exemplars.csv")
    assert [(row["filter"], row["rank"]) for row in rows] == [(n, r) for n in "0123" for r in "123"]
    nearest, inputs = table(exemplars / "nearest.csv"), table(exemplars / "inputs.csv")
    assert {row["by"] for row in nearest} == {"activations", "weights"}
    assert {(row["by"], row["source"]) for row in inputs} == {("weights", "second")}
    photo = rows[0]["photo"]
    plain = (*TINY, *PLAIN, "schedule.size=48", "schedule.steps=2", "top=2")
    behind = made(*plain, "task=top_filters", f"image={photo}", layer, output="behind")
    assert len(table(behind / "top_filters.csv")) == 4
    assert len(table(behind / "results.csv")) == 2
    with Image.open(next(behind.glob("sheet_*.png"))) as sheet:
        assert sheet.width > 300
    compared = (*TINY, *PLAIN, layer, "filters=0-1", "schedule.size=48", "schedule.steps=2", f"exemplars={exemplars}")
    (first, _) = table(made(*compared, output="compared") / "results.csv")
    assert float(first["natural_max"]) > 0


@pytest.mark.end_to_end
def test_what_cannot_be_is_refused_in_one_line() -> None:
    Path("empty").mkdir()
    folder = made(*TASK, "limit=20", "by=pca")
    file = folder / "second_pca.safetensors"
    assert "holds no photo" in str(refusal(*TASK, "data=empty"))
    assert refusal(*TASK, "concepts=300", "limit=1", "layer=last").setting == "concepts"
    assert refusal(*TASK, f"layer=second@{file}").setting == "layer"
    assert refusal(*TASK, "filters=0-3").setting == "filters"
    shown = (*TINY, *PLAIN, f"layer=second@{file}")
    assert refusal(*shown, "filters=[4]").setting == "filters"
    assert refusal(*TINY, f"layer=first@{file}").setting == "layer"
    assert refusal(*TINY, f"layer=second@{file}", "seed=1").setting == "model"
    file.write_bytes(file.read_bytes()[:-1])
    assert "damaged" in str(refusal(*shown))


@pytest.mark.end_to_end
def test_a_finished_run_is_not_made_again() -> None:
    folder = made(*TASK, "limit=20", "by=pca")
    before = (folder / "second_pca.safetensors").stat().st_mtime_ns
    assert run(*TASK, "limit=20", "by=pca", f"resume={folder}").status == 0
    assert (folder / "second_pca.safetensors").stat().st_mtime_ns == before
    (folder / "second_pca.safetensors").unlink()
    assert run(*TASK, "limit=20", "by=pca", f"resume={folder}").status == 0
    assert (folder / "second_pca.safetensors").exists()


def test_concepts_from_python(tmp_path: Path) -> None:
    overrides = ["k=2", "epochs=1"]
    found = featviz.concepts(
        featviz.Model("Tiny", Tiny(), size=48), "photos", "second", 4, "sae", 10, overrides=overrides
    )
    assert found.dictionaries["second"].concepts == len(found.rows) == 4
    assert not (tmp_path / "outputs").exists()


def test_concepts_do_not_go_into_the_folder_of_another_run() -> None:
    featviz.concepts(featviz.Model("Tiny", Tiny(), size=48), "photos", "second", 3, "pca", limit=9, output="there")
    file = Path("there/second_pca.safetensors")
    before = file.read_bytes()
    error = refusal_of(
        lambda: featviz.concepts(featviz.Model("Tiny", Tiny(), size=48), "photos", "second", 4, "pca", output="there")
    )
    assert error.expected == "another folder"
    assert file.read_bytes() == before


STAGES = ("model=own", "model.target=tiny_networks.Stages", "model.weights=random", "model.size=64")
OF_CLASSES = (*STAGES, "task=concepts", "data=photos", "layer=layer2", "concepts=3", "limit=30", "by=pca")


@pytest.mark.end_to_end
def test_concepts_of_classes_and_what_they_mean_for_them() -> None:
    told = str(refusal(*OF_CLASSES, "classes=[nine]", f"model.classes={_names()}"))
    assert told.startswith("none of 30 photos is nine to the network; most are ")
    number = told.rpartition("most are ")[2].split(",")[0]
    folder = made(*OF_CLASSES, f"classes=[{number}]", f"model.classes={_names()}", output="of")
    (line,), rows = table(folder / "dictionaries.csv"), table(folder / "concepts.csv")
    name = line["photos_of"]
    assert line["file"] == f"layer2_{name}_pca.safetensors"
    assert (folder / line["file"]).is_file()
    assert 0 < int(line["photos"]) <= 30
    assert {row["photos_of"] for row in rows} == {name}
    assert all(float(row[figure]) == float(row[figure]) for row in rows for figure in ("gradient", "removal"))


def _names() -> str:
    Path("names.txt").write_text("zero\none\ntwo\nthree\nfour\nfive\nsix\nseven\neight\nnine\n")
    return "names.txt"


@pytest.mark.end_to_end
def test_classes_that_cannot_be_are_refused() -> None:
    assert refusal(*OF_CLASSES, "classes=[10]").setting == "classes"
    assert refusal(*OF_CLASSES, "classes=[nien]", f"model.classes={_names()}").nearest[0] == "nine"
    assert refusal(*OF_CLASSES, "classes=[1]", "by=kmeans").setting == "by"
    assert refusal(*OF_CLASSES, "classes=[1]", "layer=fc").setting == "layer"
