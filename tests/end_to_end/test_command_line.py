"""The program as a user types it: what a command means, what it prints, and what it leaves behind."""

import contextlib
import csv
import re
import shlex
from pathlib import Path

import pytest
import torch
from omegaconf import OmegaConf
from pictures import pixels, pngs, psnr
from PIL import Image
from program import PLAIN, SHORT, TINY, made, refused
from tiny_networks import Tiny

import featviz
from featviz.results.folder import read_rows

BARE = (*SHORT[:-2], *PLAIN)
QUICK = (*BARE, *SHORT[-2:])
DESIGNED = "model layer filter recipe seed steps size activation start_activation status seconds image"


# the run folder


def test_the_run_folder_is_as_designed() -> None:
    folder = made(*SHORT, "filters=[0,13]", "seed=4")
    assert re.fullmatch(r"outputs/visualize/\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d", folder.as_posix())
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    images = {"images/second/0000.png", "images/second/0013.png"}
    sheets = {"grid_second.png", "response_matrix_second.png"}
    assert {name for name in found if name.endswith(".png")} == images | sheets
    assert {"results.csv", "config.yaml", "index.html"} < found
    assert not any(name.startswith("checkpoints/") for name in found)
    assert any(name.startswith("tensorboard/events.out.tfevents") for name in found)
    with (folder / "results.csv").open(newline="") as file:
        assert set(next(csv.reader(file))) >= set(DESIGNED.split())
    rows = read_rows(folder)
    assert [(row["filter"], row["image"], row["seed"], row["status"]) for row in rows] == [
        (0, "images/second/0000.png", 4, "ok"),
        (13, "images/second/0013.png", 4, "ok"),
    ]
    for row in rows:
        with Image.open(folder / row["image"]) as image:
            text = image.text  # type: ignore[attr-defined]
            assert image.size == (40, 40)
        told = {name: text[name] for name in ("model", "layer", "filter", "recipe", "seed", "activation")}
        assert told == {name: str(row[name]) for name in told}  # type: ignore[literal-required]
        assert text["Software"] == f"featviz {featviz.__version__}"


@pytest.mark.parametrize(
    ("logger", "left"),
    [
        ("none", set()),
        ("[tensorboard,csv]", {"csv", "tensorboard"}),
    ],
)
def test_loggers_leave_what_they_should(logger: str, left: set[str]) -> None:
    folder = made(*SHORT, f"logger={logger}", "callbacks.log.numbers_every=1")
    assert {path.name for path in folder.iterdir() if path.is_dir() and path.name[0] != "."} == {
        "images",
        "report",
        "responses",
        *left,
    }
    if "csv" in left:
        with (folder / "csv" / "metrics.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        assert [row["step"] for row in rows] == ["1", "2", "3"]
        assert {"activation/second/0000", "activation/second/0001", "lr", "size"} < set(rows[0])
    if "tensorboard" in left:
        assert len(list((folder / "tensorboard").glob("events.out.tfevents*"))) == 1


# the same again


def test_a_command_and_a_seed_make_the_same_bytes_and_another_seed_others() -> None:
    one, again, other = (pngs(made(*QUICK, f"seed={s}", output=name)) for s, name in ((5, "a"), (5, "b"), (6, "c")))
    assert one == again
    assert one.keys() == other.keys()
    # not for the seed in the PNG's text alone
    assert all(psnr(pixels_of(one[name]), pixels_of(other[name])) < 60 for name in one)


def pixels_of(content: bytes) -> torch.Tensor:
    Path("picture.png").write_bytes(content)
    return pixels(Path("picture.png"))


def test_a_filter_gets_the_same_picture_alone_and_among_eight() -> None:
    strong = (*QUICK, "schedule.steps=12", "optimizer.lr=0.05")
    together = made(*strong, "filters=0-7", output="together")
    alone = made(*strong, "filters=5", output="alone")
    picture = pixels(alone / "images/second/0005.png")
    assert psnr(picture, pixels(together / "images/second/0004.png")) < 40
    assert psnr(picture, pixels(together / "images/second/0005.png")) >= 40


def test_a_run_is_repeated_by_the_command_that_its_configuration_names() -> None:
    Path("it's a folder, odd=1 #2").mkdir()
    with contextlib.chdir("it's a folder, odd=1 #2"):
        folder = made(*BARE, "recipe=fg91_2019", "image.init.high=0.7", "schedule.stages=[[40,2],[48,2]]")
        (command,) = [line for line in (folder / "config.yaml").read_text().splitlines() if "--config-path" in line]
        python, m, name, *arguments = shlex.split(command.removeprefix("# "))
        assert [python, m, name] == ["python", "-m", "featviz"]
        again = made(*arguments, output="again")
        assert pngs(again) == pngs(folder)
        written, same = (OmegaConf.load(path / "config.yaml") for path in (folder, again))
        written.output = same.output
        assert written == same
        other = made(*arguments, "seed=1", output="other")  # and it is a configuration like any other
        assert pngs(other) != pngs(folder)


def test_paths_are_relative_to_where_one_stands(tmp_path: Path) -> None:
    Path("weights").mkdir()
    torch.save(Tiny().state_dict(), "weights/net.pth")
    folder = made(*QUICK, "model.weights=weights/net.pth", output="here/below")
    assert (tmp_path / folder / "results.csv").exists()
    assert read_rows(folder)[0]["weights"].endswith("weights/net.pth")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["here", "weights"]
    assert Path.cwd() == tmp_path


# debugging


def test_a_fast_run_wins_over_the_experiment_and_what_is_typed_over_both() -> None:
    folder = made("debug=fast", "experiment=photo", *TINY, "layer=[first]", "logger=none", output="out")
    assert folder.parent == Path("out/debug")
    (row,) = read_rows(folder)[:1]
    assert (row["size"], row["steps"]) == (48, 8)
    folder = made("debug=fast", *TINY, "layer=first", "schedule.steps=1", "name=mine", output="typed")
    assert [(row["filter"], row["size"], row["steps"]) for row in read_rows(folder)] == [(0, 48, 1)]
    assert folder.parent == Path("typed/mine")


def test_the_profiler_says_where_the_time_went() -> None:
    folder = made(*QUICK, "debug=profiler")
    assert "run_training_epoch" in (folder / "fit-profile.txt").read_text()


def test_a_run_is_repeated_from_a_relative_folder() -> None:
    folder = made(*QUICK)
    assert pngs(made("--config-path", str(folder), "--config-name", "config", output="again")) == pngs(folder)


def test_an_older_runs_configuration_that_lacks_a_setting() -> None:
    folder = made(*QUICK)
    file = folder / "config.yaml"
    file.write_text(re.sub("^batch_size: .*\n", "", file.read_text(), flags=re.M))
    line = refused("--config-path", str(folder.resolve()), "--config-name", "config", "output=again")
    assert "batch_size" in line
