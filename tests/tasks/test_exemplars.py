"""The real photos that filters answer to most, and made pictures beside them."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from photo_folder import table
from PIL import Image
from program import ROOT, TINY, made, refused, run
from tiny_networks import Tiny

TASK = (*TINY, "task=exemplars", "data=photos", "layer=second", "filters=[0,1,7]")
PICTURES = ("patches", "maps")
SCRIPT = ROOT / "scripts/bench_exemplars.py"


pytestmark = pytest.mark.usefixtures("photos_here")


@pytest.mark.end_to_end
def test_the_files_of_a_run() -> None:
    folder = made(*TASK, "layer=first,second", "filters=0-2", "k=4", "references=10")
    rows = table(folder / "exemplars.csv")
    assert [(row["layer"], row["filter"], row["rank"]) for row in rows] == [
        (layer, str(number), str(rank)) for layer in ("first", "second") for number in range(3) for rank in range(1, 5)
    ]
    for row in rows:
        left, top, right, bottom = (int(row[side]) for side in ("left", "top", "right", "bottom"))
        with Image.open(row["photo"]) as photo, Image.open(folder / row["patch"]) as patch:
            np.testing.assert_array_equal(np.array(patch), np.array(photo.crop((left, top, right, bottom))))
        with Image.open(folder / row["image"]) as whole:
            assert whole.size in {(60, 50), (96, 130)}
    least, references = table(folder / "weakest.csv"), table(folder / "references.csv")
    assert [(row["module"], row["filter"], row["rank"]) for row in least] == [
        (row["module"], row["filter"], row["rank"]) for row in rows
    ]
    assert all(float(weak["mean"]) < float(strong["mean"]) for weak, strong in zip(least, rows, strict=True))
    assert [Path(row["photo"]).name for row in references] == [f"{at:03d}.png" for at in range(0, 70, 7)]
    for row in (*least, *references):
        with Image.open(row["photo"]) as photo, Image.open(folder / row["image"]) as kept:
            assert np.abs(np.array(photo, int) - np.array(kept, int)).mean() < 8  # JPEG
    assert len(list((folder / "photos").iterdir())) == len({row["photo"] for row in (*rows, *least, *references)})
    values = [float(row["mean"]) for row in rows]
    assert all(values[at : at + 4] == sorted(values[at : at + 4], reverse=True) for at in range(0, 24, 4))
    statistics = table(folder / "statistics.csv")
    assert len(statistics) == 2 * 3 * 2
    assert {row["photos"] for row in statistics} == {"70"}
    assert not (folder / "skipped.csv").exists()
    _check_relations(folder)
    for layer in ("first", "second"):
        with Image.open(folder / f"exemplars_{layer}.png") as sheet:
            assert sheet.width > 4 * 100


def _check_relations(folder: Path) -> None:
    """What feeds the second layer is the first; a map for each patch; photos of tenths are among the references."""
    inputs = table(folder / "inputs.csv")
    assert {(row["layer"], row["source"]) for row in inputs} == {("second", "first")}
    assert {row["by"] for row in inputs} == {"gradient", "weights"}
    assert {row["by"] for row in table(folder / "nearest.csv")} == {"activations", "weights"}
    patches, maps = ({path.relative_to(folder / name) for path in (folder / name).rglob("*.png")} for name in PICTURES)
    assert patches == maps
    references = {row["image"] for row in table(folder / "references.csv")}
    assert {row["image"] for row in table(folder / "tenths.csv")} <= references
    for row in table(folder / "histograms.csv"):
        assert sum(int(row[f"c{at}"]) for at in range(40)) == 70
    assert "speaks_for.csv" in {path.name for path in folder.iterdir()}


@pytest.mark.end_to_end
def test_many_filters_get_several_sheets() -> None:
    folder = made(*TASK, "filters=all", "k=1", "model.target=tiny_networks.Wide", "layer=first,second,last")
    assert sorted(path.name for path in folder.glob("exemplars_*.png")) == [
        f"exemplars_{name}.png" for name in ("first", "last", "second")
    ]
    folder = made(*TASK, "filters=all", "k=1", "layer=bn", "model.target=tiny_networks.Broad", output="other")
    assert sorted(path.name for path in folder.glob("exemplars_*.png")) == [
        "exemplars_bn_01.png",
        "exemplars_bn_02.png",
    ]


@pytest.mark.end_to_end
def test_what_cannot_be_read_is_skipped_counted_and_named() -> None:
    Path("photos/sub").mkdir()
    Path("photos/text.jpg").write_text("no picture")
    cut = Path("photos/010.png").read_bytes()
    Path("photos/sub/cut.png").write_bytes(cut[: len(cut) // 2])
    Path("photos/notes.txt").write_text("no photo, and not named as one")
    gray = np.linspace(0, 65535, 64 * 64).reshape(64, 64).astype(np.uint16)
    Image.fromarray(gray).save("photos/sixteen.png")
    frames = [Image.new("RGB", (50, 50), color) for color in ("red", "blue")]
    frames[0].save("photos/animated.gif", save_all=True, append_images=frames[1:])
    outcome = run(*TASK, "output=outputs")
    assert outcome.status == 0, outcome
    assert "2 photos skipped:" in outcome.out
    assert "text.jpg is no picture that can be read" in outcome.out
    assert "cut.png is damaged or cut short" in outcome.out
    (folder,) = Path("outputs").glob("*/*")
    assert [Path(row["photo"]).name for row in table(folder / "skipped.csv")] == ["cut.png", "text.jpg"]
    assert {row["photos"] for row in table(folder / "statistics.csv")} == {"72"}


@pytest.mark.end_to_end
def test_a_photo_smaller_than_the_input_is_told() -> None:
    Image.new("RGB", (20, 30), "red").save("photos/small.png")
    assert "1 photos are smaller than 48 px" in run(*TASK, "output=outputs").out


@pytest.mark.end_to_end
def test_activations_that_are_not_finite() -> None:
    program = ("model=own", "model.target=tiny_networks.Breaks", "model.weights=random", "model.size=48")
    task = (*program, "task=exemplars", "data=photos", "layer='1'")
    assert "none of 70 photos can be used; the first: photo photos/000.png gives activations that are not finite" in (
        refused(*task, "filters=[0,1]")
    )
    folder = made(*task, "filters=[0,2]", output="other")
    assert len(table(folder / "statistics.csv")) == 4


BAD = {
    "data=empty": "folder empty holds no photo",
    "data=nowhere": "there is no photo or folder 'nowhere'",
    "data=texts": "none of 2 photos can be used; the first: photo texts/a.jpg is no picture that can be read",
    "layer=first,secnd": "unknown layer 'secnd'; nearest: second",
    "filters=[99]": "filter 99 is out of range: second has 20 filters",
}


@pytest.mark.end_to_end
@pytest.mark.parametrize(("argument", "words"), BAD.items())
def test_bad_input_is_one_line_and_nothing_is_written(argument: str, words: str) -> None:
    Path("empty").mkdir()
    Path("texts").mkdir()
    for name in ("a.jpg", "b.png"):
        Path("texts", name).write_text("no picture")
    assert words in refused(*TASK, argument)
    assert not list(Path("outputs").rglob("*.csv"))


@pytest.mark.end_to_end
def test_data_is_missing() -> None:
    arguments = [argument for argument in TASK if not argument.startswith("data=")]
    assert "data" in refused(*arguments)


@pytest.mark.process
def test_memory_does_not_grow_with_the_number_of_photos() -> None:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(SCRIPT), "memory", "photos=600"]
    told = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout
    (few, _, peak_of_few, _), (many, _, peak_of_many, _) = (line.split() for line in told.splitlines())
    assert (few, many) == ("150", "600")
    # MB; the feature maps alone of 450 more photos would be 45
    assert float(peak_of_many) - float(peak_of_few) < 20


@pytest.mark.end_to_end
def test_other_weights_under_the_same_name_are_another_run() -> None:
    torch.save(Tiny().state_dict(), "w.pt")
    task = ("model=own", "model.target=tiny_networks.Tiny", "model.weights=w.pt", "model.size=48", *TASK[len(TINY) :])
    assert run(*task, "hydra.run.dir=there").status == 0
    before = Path("there/exemplars.csv").read_bytes()
    assert run(*task, "resume=there").status == 0
    torch.save(Tiny().state_dict(), "w.pt")
    assert "holds a run with other contents of the network's weights" in refused(*task, "resume=there")
    assert Path("there/exemplars.csv").read_bytes() == before
    assert not Path("there/checkpoints/photos.ckpt").exists()


@pytest.mark.end_to_end
def test_relations_that_a_finished_folder_lacks_are_made_by_resume() -> None:
    task = (*TASK, "report=none")
    assert run(*task, "relations=false", "hydra.run.dir=without").status == 0
    assert run(*task, "hydra.run.dir=with").status == 0
    assert not Path("without/nearest.csv").exists()
    before = Path("without/exemplars.csv").read_bytes()
    outcome = run(*task, "resume=without")
    assert "relations are missing, which takes the pass once more" in outcome.out
    assert Path("without/exemplars.csv").read_bytes() == before
    names = ("network.json", "nearest.csv", "inputs.csv", "histograms.csv", "tenths.csv")
    assert [Path("without", name).read_bytes() for name in names] == [Path("with", name).read_bytes() for name in names]
    assert "relations are missing" not in run(*task, "resume=without").out
    assert "relations are missing" not in run(*task, "relations=false", "resume=without").out
