"""task=merge: the folders of shards as one run."""

import csv
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from program import SHORT, made, refusal, refused, run
from refusals import refusal_of
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from featviz.results.folder import read_rows
from featviz.runs.run import Shard
from featviz.runs.shards import find_runs
from featviz.tasks.merge import in_ranges, missing_shards

SETTINGS = (
    "keep_checkpoints=true",
    *SHORT,
    "layer=[first,second]",
    "filters=0-4",
    "batch_size=2",
    "callbacks.log.pictures_every=2",
    "frames=1",
)
ALL = "runs=outputs/big"


@pytest.fixture(scope="module")
def whole_and_shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``whole/TIME/`` made at once, ``outputs/big/0`` to ``2`` in three shards."""
    folder = tmp_path_factory.mktemp("merge")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        made(*SETTINGS, output="whole")
        for number in range(3):
            shard(number)
    return folder


@pytest.fixture(autouse=True)
def _stand_beside_their_copies(tmp_path: Path, whole_and_shards: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(whole_and_shards, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)


def shard(number: int, *more: str, of: int = 3, into: str = "") -> Path:
    folder = Path("outputs/big", into or str(number))
    outcome = run(*SETTINGS, f"shard={number}/{of}", f"hydra.run.dir={folder}", *more)
    assert outcome.status == 0, outcome
    return folder


def merged(*arguments: str, into: str = "outputs/one") -> tuple[Path, str]:
    outcome = run("task=merge", *(arguments or (ALL,)), f"into={into}")
    assert outcome.status == 0, outcome
    return Path(into), outcome.out


def whole() -> Path:
    (folder,) = Path("whole").glob("*/*")
    return folder


def files(folder: Path) -> dict[str, bytes]:
    """What a run writes, but for its table, with its times, and what has its path or command in it."""
    apart = {"results.csv", "config.yaml", "featviz.log", "image.ckpt", "checksums.json"}
    found = [path.relative_to(folder) for path in folder.rglob("*") if path.is_file() and path.name not in apart]
    left_out = (".hydra", "tensorboard", "index.html", "report")
    return {str(path): (folder / path).read_bytes() for path in found if path.parts[0] not in left_out}


def table(folder: Path) -> list[dict[str, str]]:
    with (folder / "results.csv").open(newline="") as file:
        return [{name: text for name, text in row.items() if name != "seconds"} for row in csv.DictReader(file)]


@pytest.mark.end_to_end
def test_shards_are_the_whole() -> None:
    folder, told = merged()
    assert files(folder) == files(whole())
    # 10 pictures, each with a frame, two grids, matrices and responses, manifest.json, inputs.json, tables of relations
    assert len(files(folder)) == 31
    assert table(folder) == table(whole())
    configs = [(each / "config.yaml").read_text().splitlines() for each in (folder, whole())]
    assert [line for line in configs[0] if line not in configs[1]] == [
        f"# python -m featviz --config-path {folder.resolve()} --config-name config",
        "output: outputs",
    ]
    assert told.splitlines()[-1].endswith("outputs/one: 10 ok")
    assert len(told.splitlines()) == 1


@pytest.mark.end_to_end
def test_checkpoints_and_what_tensorboard_shows_come_along() -> None:
    folder, _ = merged()
    names = [{str(path.relative_to(each)) for path in each.rglob("*.ckpt")} for each in (folder, whole())]
    assert names[0] == names[1]
    for name in names[0]:
        kept = [torch.load(each / name, weights_only=True)["featviz"] for each in (folder, whole())]
        assert kept[0]["pictures"] == kept[1]["pictures"]
    tags = [_tags(each) for each in (folder, whole())]
    assert tags[0] == tags[1]
    assert any("second" in tag for tag in tags[0])


def _tags(folder: Path) -> set[str]:
    events = EventAccumulator(str(folder / "tensorboard"), size_guidance={"images": 0, "scalars": 0, "tensors": 0})
    events.Reload()
    return {tag for kind in ("images", "scalars", "tensors") for tag in events.Tags()[kind]}


@pytest.mark.end_to_end
def test_merged_again_nothing_changes() -> None:
    folder, _ = merged()
    before, rows = files(folder), table(folder)
    written = {path: path.stat().st_mtime_ns for path in folder.rglob("images/**/*.png")}
    events = sorted(path.name for path in (folder / "tensorboard").iterdir())
    _, told = merged("runs='outputs/big/*'")
    assert files(folder) == before
    assert table(folder) == rows
    assert {path: path.stat().st_mtime_ns for path in written} == written
    assert sorted(path.name for path in (folder / "tensorboard").iterdir()) == events
    assert told.splitlines()[-1].endswith(": 10 ok")


@pytest.mark.end_to_end
def test_the_shards_stay_as_they_are() -> None:
    before = {path: path.read_bytes() for path in Path("outputs/big").rglob("*") if path.is_file()}
    merged()
    assert {path: path.read_bytes() for path in Path("outputs/big").rglob("*") if path.is_file()} == before


@pytest.mark.end_to_end
def test_what_is_missing_is_said_and_can_be_merged_later() -> None:
    folder, told = merged("runs=[outputs/big/2,outputs/big/0]")
    lines = told.splitlines()
    assert lines[:3] == ["missing: shard 1/3", "missing: first filters 2-3", "missing: second filters 2-3"]
    assert lines[3].startswith("merge again when they are made, or make them here with resume=")
    assert [row["filter"] for row in read_rows(folder)] == [0, 1, 4, 0, 1, 4]
    _, told = merged("runs=outputs/big/1")
    assert len(told.splitlines()) == 1
    assert files(folder) == files(whole())
    assert table(folder) == table(whole())


@pytest.mark.end_to_end
def test_less_evidence_gives_way_to_more() -> None:
    shard(0, "evidence=none", of=1, into="bare")
    folder, _ = merged("runs=[outputs/big/bare,outputs/big/1]")
    told = [row for row in read_rows(folder) if "gain" in row]
    assert [row["filter"] for row in told] == [2, 3, 2, 3]
    assert len(read_rows(folder)) == 10


@pytest.mark.end_to_end
def test_what_is_missing_can_be_made_in_the_merged_folder() -> None:
    folder, _ = merged("runs=[outputs/big/0,outputs/big/2]")
    outcome = run(*SETTINGS, f"resume={folder}")
    assert outcome.status == 0, outcome
    assert files(folder) == files(whole())
    assert sorted(map(str, table(folder))) == sorted(map(str, table(whole())))


@pytest.mark.end_to_end
def test_a_picture_that_a_shard_has_lost_is_missing() -> None:
    Path("outputs/big/1/images/second/0003.png").unlink()
    folder, told = merged()
    assert told.splitlines()[0] == "missing: second filter 3"
    assert len(read_rows(folder)) == 9


@pytest.mark.end_to_end
def test_the_whole_may_lie_above_its_shards() -> None:
    for _ in range(2):
        folder, _ = merged(into="outputs/big")
    assert table(folder) == table(whole())
    assert table(Path("outputs/big/0"))  # and they stay


@pytest.mark.end_to_end
def test_overlaps_that_agree_are_one() -> None:
    shard(0, of=2, into="half")
    folder, told = merged()
    assert files(folder) == files(whole())
    assert table(folder) == table(whole())
    assert len(told.splitlines()) == 1


@pytest.mark.end_to_end
@pytest.mark.parametrize("changed", ["picture", "number"])
def test_overlaps_that_disagree_are_refused(changed: str) -> None:
    shutil.copytree("outputs/big/1", "outputs/big/other")
    if changed == "picture":
        path = Path("outputs/big/other/images/first/0002.png")
        pixels = np.asarray(Image.open(path)).copy()
        pixels[0, 0, 0] ^= 1
        Image.fromarray(pixels).save(path)
        Path("outputs/big/other/checksums.json").unlink()  # by which it would be seen as damaged
        differ = "their pictures"
    else:
        path = Path("outputs/big/other/results.csv")
        number = read_rows(path)[0]["activation"]
        path.write_text(path.read_text().replace(str(number), str(number + 0.5)))
        differ = f"activation {number} and {number + 0.5}"
    error = refusal("task=merge", ALL, "into=outputs/one")
    assert (error.setting, error.expected) == ("runs", "one of them left out")
    assert differ in str(error.got).split(", ")
    assert not Path("outputs/one/results.csv").exists()


@pytest.mark.end_to_end
def test_runs_of_different_settings_are_refused() -> None:
    config = Path("outputs/big/2/config.yaml")
    config.write_text(config.read_text().replace("\n  steps: 3\n", "\n  steps: 2\n"))
    error = refusal("task=merge", ALL, "into=outputs/one")
    assert (error.setting, error.got) == ("runs", "schedule.steps was 3 and is 2")
    assert not Path("outputs/one/images").exists()


@pytest.mark.end_to_end
def test_a_folder_of_another_run_is_not_written_into() -> None:
    shutil.copytree("outputs/big/0", "outputs/other")
    config = Path("outputs/other/config.yaml")
    config.write_text(re.sub(r"(?m)^seed: 0$", "seed: 3", config.read_text()))
    before = files(Path("outputs/other"))
    error = refusal("task=merge", ALL, "into=outputs/other")
    assert (error.setting, error.got) == ("runs", "seed was 0 and is 3")
    assert files(Path("outputs/other")) == before


@pytest.mark.end_to_end
def test_chunks_of_different_sizes_leave_gaps_which_are_explained() -> None:
    shutil.rmtree("outputs/big/1")
    shutil.rmtree("outputs/big/0")
    shard(0, "batch_size=3")
    _, told = merged()
    assert told.splitlines()[:4] == [
        "missing: shard 1/3",
        "missing: first filter 3",
        "missing: second filter 3",
        "batch_size differs (3, 2): such shards do not add up to the whole",
    ]


@pytest.mark.end_to_end
@pytest.mark.parametrize(
    ("runs", "got", "nearest"),
    [("outputs/big/9", "9", ()), ("outputs/bik", "bik", ("big",)), ("outputs/big/s*", "s*", ())],
)
def test_what_names_no_runs_is_refused(runs: str, got: str, nearest: tuple[str, ...]) -> None:
    error = refusal_of(lambda: find_runs([runs], Path("into")))
    assert (error.setting, error.got, error.nearest) == ("runs", got, nearest)


@pytest.mark.end_to_end
def test_without_runs() -> None:
    assert refused("task=merge") == "runs is missing: give it on the command line, runs=..."
    assert refusal("task=merge", "runs=[]").setting == "runs"


@pytest.mark.end_to_end
def test_a_merge_is_no_sweep() -> None:
    outcome = run("-m", "task=merge", "runs=outputs/big/0,outputs/big/1", "output=sweep")
    assert outcome.status == 1
    assert "task=merge runs once; expected no -m and no values to sweep over" in outcome.err


@pytest.mark.end_to_end
def test_a_damaged_configuration() -> None:
    Path("outputs/big/1/config.yaml").write_text("a: [")
    error = refusal("task=merge", ALL)
    assert (error.setting, error.got) == ("runs", "outputs/big/1/config.yaml")


@pytest.mark.end_to_end
def test_shards_that_are_missing() -> None:
    assert missing_shards([Shard(0, 3), Shard(2, 3)]) == ["1/3"]
    assert missing_shards([Shard(n, 8) for n in range(8)]) == []
    assert missing_shards([Shard(0, 3), Shard(1, 2)]) == []
    assert in_ranges([0, 1, 2, 7, 9, 10]) == "0-2, 7, 9-10"
    assert in_ranges([3]) == "3"
