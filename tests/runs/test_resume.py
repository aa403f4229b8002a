"""Runs that were ended, and go on: only what is missing is made, and the same bytes come out."""

import os
import random
import re
import shutil
import signal
import time
from importlib.metadata import version
from pathlib import Path

import pytest
import torch
from pictures import pngs
from processes import Forked
from program import SHORT, TINY, made, refused, run
from refusals import assert_refused

import featviz
from featviz.results.files import write_table
from featviz.results.folder import RunFolder, read_rows
from featviz.results.rows import COLUMNS
from featviz.runs.resume import finished_rows
from featviz.runs.same_settings import differences, read_config

QUICK = (
    *TINY,
    "layer=second",
    "filters=0-9",
    "batch_size=4",
    "schedule.size=48",
    "logger=none",
    "restarts=1",
    "evidence=none",
    "report=none",
)
STEPS = ("schedule.steps=12", "callbacks.checkpoint.every=2")
OCTAVES = ("schedule=octaves", "schedule.start=32", "schedule.size=null", "schedule.number=3")


@pytest.fixture(scope="module")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("finished"))
        return made(*QUICK, *STEPS, "keep_checkpoints=true").resolve()


@pytest.fixture
def finished(made_once: Path) -> Path:
    """A copy of the folder of a run of ``QUICK`` and ``STEPS`` that has kept its checkpoints."""
    return Path(shutil.copytree(made_once, "outputs/finished"))


def table(folder: Path) -> list[dict[str, str]]:
    """The rows, as text: what is not a number equals itself there."""
    return [{name: str(value) for name, value in row.items() if name != "seconds"} for row in read_rows(folder)]


def frames(folder: Path) -> dict[str, bytes]:
    files = sorted((folder / "frames").rglob("*.webp"))
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.mark.end_to_end
def test_only_what_is_missing_is_made() -> None:
    settings = (*QUICK, "evidence=default", *STEPS)
    folder = made(*settings)
    before, rows = pngs(folder), table(folder)
    kept = {path: path.stat().st_mtime_ns for path in (folder / "images").rglob("*.png")}
    gone = [path for path in kept if path.stem in ("0004", "0005", "0006", "0007")]
    for path in gone:
        path.unlink()
    outcome = run(*settings, f"resume={folder}")
    assert outcome.status == 0, outcome
    assert [path for path, when in kept.items() if path.stat().st_mtime_ns != when] == gone
    assert pngs(folder) == before
    assert sorted(table(folder), key=lambda row: str(row["filter"])) == rows
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


@pytest.mark.end_to_end
def test_nothing_is_made_where_nothing_is_missing(finished: Path) -> None:
    before = (finished / "results.csv").read_bytes()
    outcome = run(*QUICK, *STEPS, f"resume={finished}", "trainer=default")
    assert outcome.status == 0
    assert (finished / "results.csv").read_bytes() == before
    assert "10 ok" in outcome.out


ENDS_AT_STEP_8 = """
import featviz.optim.callbacks as callbacks, os

class Ends(callbacks.ImageCheckpoint):
    def on_train_batch_end(self, trainer, module, outputs, batch, batch_idx):
        super().on_train_batch_end(trainer, module, outputs, batch, batch_idx)
        if batch_idx == 8 and module.filters[0] == 4:
            os._exit(9)

callbacks.ImageCheckpoint = Ends
"""


@pytest.mark.process
@pytest.mark.end_to_end
@pytest.mark.parametrize(
    "method",
    [
        (),
        (*OCTAVES, "lr_schedule=cosine", "optimizer=adamw", "evidence=default"),
        (*OCTAVES, "image=maco", "opacity=true"),
    ],
)
def test_a_half_finished_chunk_goes_on_from_its_checkpoint(method: tuple[str, ...]) -> None:
    """The uninterrupted run is compared with one whose pictures stop existing at step 8."""
    settings = (*QUICK, "restarts=0", *method, "schedule.steps=12", "callbacks.checkpoint.every=2", "frames=4")
    whole = made(*settings, output="whole")
    ended = Forked(*settings, "output=ended", first=ENDS_AT_STEP_8)
    assert ended.wait().status == 9
    (folder,) = Path("ended").glob("*/*")
    assert [row["filter"] for row in read_rows(folder)] == [0, 1, 2, 3]
    checkpoint = folder / "checkpoints/second_0004/image.ckpt"
    assert torch.load(checkpoint, weights_only=True)["featviz"]["steps_done"] == 8
    outcome = run(*settings, f"resume={folder}")
    assert outcome.status == 0, outcome
    assert pngs(folder) == pngs(whole)
    assert table(folder) == table(whole)
    assert frames(folder) == frames(whole)
    assert len(frames(folder)) == 10 * 4


@pytest.mark.end_to_end
def test_a_frame_that_is_lost_is_made_again() -> None:
    settings = (*QUICK, "filters=0-3", "batch_size=2", "schedule.steps=4", "report=none")
    folder = made(*settings, "frames=2", output="kept")
    assert [name[-4:] for name in frames(made(*settings))] == []
    before, rows = frames(folder), table(folder)
    (folder / "frames/second/0002/00000.webp").unlink()
    (folder / "frames/second/0001/00002.webp").write_bytes(b"damaged")
    assert run(*settings, "frames=2", f"resume={folder}").status == 0
    assert list(frames(folder)) == list(before)
    assert sorted(table(folder), key=lambda row: int(row["filter"])) == rows


@pytest.mark.end_to_end
def test_damaged_checkpoints_are_told_and_their_chunks_made_again(finished: Path) -> None:
    before = pngs(finished)
    for first, damage in (("0000", lambda whole: whole[:3000]), ("0004", lambda _: b""), ("0008", lambda _: b"other")):
        checkpoint = finished / f"checkpoints/second_{first}/image.ckpt"
        checkpoint.write_bytes(damage(checkpoint.read_bytes()))
    for path in (finished / "images").rglob("*.png"):
        path.unlink()
    outcome = run(*QUICK, *STEPS, f"resume={finished}")
    assert outcome.status == 0, outcome
    assert outcome.out.count("image.ckpt cannot be read, its pictures are made again") == 3
    assert pngs(finished) == before


@pytest.mark.end_to_end
def test_another_batch_size_makes_only_what_is_missing(finished: Path) -> None:
    before = pngs(finished)
    for name in ("0004", "0007"):
        (finished / f"images/second/{name}.png").unlink()
    outcome = run(*QUICK, *STEPS, f"resume={finished}", "batch_size=10")
    assert outcome.status == 0, outcome
    assert pngs(finished).keys() == before.keys()
    assert "is of other pictures than are made together now" in outcome.out


@pytest.mark.end_to_end
def test_another_run_is_refused() -> None:
    folder = made(*SHORT)
    before = (folder / "config.yaml").read_bytes()
    for other, words in {
        "schedule.steps=4": "is another run: schedule.steps was 3 and is 4",
        "seed=1": "is another run: seed was 0 and is 1, model.seed was 0 and is 1",
        "recipe=lucent": "is another run: ",
        "layer=first": "is another run: layer was second and is first",
    }.items():
        line = refused(*SHORT, other, f"resume={folder}")
        assert words in line
        assert line.endswith("expected the run's own command, all of it, with resume= behind it")
    assert (folder / "config.yaml").read_bytes() == before


@pytest.mark.end_to_end
def test_a_folder_without_a_run_is_refused() -> None:
    folder = made(*SHORT)
    line = refused(*SHORT, f"resume={folder}x")
    begins = "expected the folder of a run that has begun (hydra.run.dir= begins one"
    assert line.startswith(f"resume={folder.resolve()}x: there is no such folder; {begins}")
    assert line.endswith(f"nearest: {folder.name}")
    assert "there is no config.yaml of a run" in refused(*SHORT, f"resume={folder / 'images'}")
    (folder / "config.yaml").write_text("a: [")
    assert "config.yaml: " in refused(*SHORT, f"resume={folder}")


def test_from_python() -> None:
    overrides = [*(word for word in SHORT[1:] if not word.startswith(("layer=", "filters="))), "batch_size=1"]
    result = featviz.visualize("own", "second", [0, 1, 2], output="run", overrides=overrides)
    Path("run/images/second/0001.png").unlink()
    again = featviz.visualize("own", "second", [0, 1, 2], output="run", overrides=[*overrides, "resume=run"])
    assert torch.equal(again.images, result.images)
    assert [row["filter"] for row in again.rows] == [0, 1, 2]


@pytest.mark.process
@pytest.mark.end_to_end
def test_killed_at_any_moment_and_resumed_the_same_files_come_out(finished: Path) -> None:
    settings = [*QUICK, *STEPS]
    folder, moments = Path("killed/run"), random.Random(0)
    for attempt in range(6):
        more = [f"resume={folder}"] if (folder / "config.yaml").exists() else [f"hydra.run.dir={folder}"]
        process = Forked(*settings, *more)
        process.wait_for_checkpoint(folder)
        time.sleep(moments.random() * 0.4 * (attempt % 3))
        process.send(signal.SIGKILL)
        process.wait()
    outcome = run(*settings, f"resume={folder}")
    assert outcome.status == 0, outcome
    assert pngs(folder) == pngs(finished)
    assert table(folder) == table(finished)
    assert not [path for path in folder.rglob("*.part") if "checkpoints" not in path.parts]


PROCESSES_START_AT_ONCE = """
import multiprocessing, featviz.runs.processes
featviz.runs.processes.get_context = lambda _: multiprocessing.get_context("fork")
"""


@pytest.mark.process
@pytest.mark.end_to_end
@pytest.mark.parametrize("more", [(), ("trainer=cpu", "trainer.devices=2")], ids=["one process", "two"])
def test_sigterm_ends_a_run_and_its_processes_at_once(more: tuple[str, ...]) -> None:
    if more and (os.cpu_count() or 1) < 2:
        pytest.skip("one core")
    settings = [*QUICK, *more, "schedule.steps=5000", "callbacks.checkpoint.every=2", "hydra.run.dir=ended"]
    process = Forked(*settings, first=PROCESSES_START_AT_ONCE)
    process.wait_for_checkpoint(Path("ended"))
    process.send(signal.SIGTERM)
    assert process.wait(timeout=20).status == -signal.SIGTERM
    (newest,) = sorted(Path("ended").rglob("*.ckpt"), key=lambda path: path.stat().st_mtime_ns)[-1:]
    time.sleep(1)  # until processes of its own have ended, too
    before = newest.stat().st_mtime_ns
    time.sleep(1)
    assert newest.stat().st_mtime_ns == before


@pytest.mark.end_to_end
def test_a_folder_of_an_earlier_version_is_named_with_it() -> None:
    folder = made(*SHORT, "logger=none")
    path = folder / "config.yaml"
    assert f"\nversion: {version('featviz')}\n" in path.read_text()
    path.write_text(re.sub(r"\nversion: .*", "", path.read_text()))
    maker = f"{folder} was made by featviz {version('featviz')}, whose settings and classes had other names"
    assert maker in refused(*SHORT, f"resume={folder}")
    again = ("--config-path", str(folder.resolve()), "--config-name", "config")
    assert maker.replace(str(folder), str(folder.resolve())) in refused(*again)
    (folder / "images/second/0000.png").write_bytes(b"")
    assert "was made by featviz, whose" in refused(*SHORT, f"resume={folder}")


def test_what_differs_is_told_as_it_was_typed() -> None:
    typed = ["layer=layer3", "model=own", "+model.kwargs.depth=3", "resume=there"]
    earlier = {"layer": "layer4", "model": {"_target_": "a", "name": "x", "kwargs": {}}, "seed": 0, "alpha": 1}
    later = {"layer": "layer3", "model": {"_target_": "b", "name": "y", "kwargs": {"depth": 3}}, "seed": 1, "alpha": 2}
    told = differences(earlier, later, typed)
    assert told.startswith("layer was layer4 and is layer3, model.kwargs.depth was None and is 3, ")
    assert told.endswith("and 3 more")
    assert "_target_" not in told


def test_another_class_is_told_where_nothing_else_differs() -> None:
    earlier, later = ({"objective": {"_target_": name, "layer": "a"}, "seed": 0} for name in "ab")
    assert differences(earlier, later) == "objective._target_ was a and is b"
    assert differences(earlier, earlier) == ""


@pytest.mark.parametrize("text", ["", "null", "{}", "[a]"])
def test_a_configuration_that_was_emptied_is_not_called_an_old_one(text: str, tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(text)
    assert_refused(lambda: read_config(tmp_path, "resume"), "resume", str(path), "")


def test_a_row_that_stands_twice_counts_once(tmp_path: Path) -> None:
    line = dict.fromkeys(COLUMNS, "0") | {"image": "", "layer": "second"}
    write_table(tmp_path / "results.csv", COLUMNS, [line, line, line | {"filter": "1"}])
    assert [row["filter"] for row in finished_rows(RunFolder(tmp_path))] == [0, 1]
