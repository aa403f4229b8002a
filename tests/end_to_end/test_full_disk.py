"""A disk that fills up: one clear line, and the run goes on once there is room."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from disks import small_disk
from pictures import pngs
from processes import forked
from program import PLAIN, TINY, made, run

from featviz.results.folder import read_rows

SMALL = (*TINY, "layer=second", "filters=0-9", "batch_size=2", "schedule.steps=2", "restarts=0")
SETTINGS = (*SMALL, "schedule.size=160")


@pytest.fixture(name="small_disk")
def _small_disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path, 300) as disk:
        yield disk


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The pictures of a run without evidence, whose figures they would have in their texts, and with room enough."""
    return pngs(made(*SETTINGS, *PLAIN, output=str(tmp_path_factory.mktemp("whole"))))


@pytest.mark.process
@pytest.mark.parametrize("more", [PLAIN, ("logger=none", "evidence=none"), ()], ids=["", "checkpoint", "all"])
def test_a_full_disk_is_told_and_the_run_resumed(
    small_disk: Path, more: tuple[str, ...], whole: dict[str, bytes]
) -> None:
    folder = small_disk / "run"
    done = forked(*SETTINGS, *more, f"hydra.run.dir={folder}")
    last = done.err.splitlines()[-1]
    assert done.status == 1, done
    assert "No space left on device" in last
    assert last.startswith("featviz: cannot ")
    assert "Traceback" not in done.err
    saved = read_rows(folder) if (folder / "results.csv").exists() else []
    assert len(saved) < 10
    subprocess.run(["mount", "-o", "remount,size=50m", str(small_disk)], check=True)
    outcome = run(*SETTINGS, *more, f"resume={folder}")
    assert outcome.status == 0, outcome
    assert pngs(folder) == (whole if "evidence=none" in more else pngs(made(*SETTINGS, output="whole")))


@pytest.mark.process
def test_a_disk_that_fills_up_while_tensorboard_writes_is_one_line(tmp_path: Path) -> None:
    """Its writer is a thread, which would print a traceback."""
    with small_disk(tmp_path, 110) as disk:
        done = forked(*SMALL, "schedule.size=96", f"hydra.run.dir={disk}/run")
    assert done.status == 1
    assert "Traceback" not in done.err
    assert "No space left on device" in done.err.splitlines()[-1]
    assert sum(line.startswith("featviz: ") for line in done.err.splitlines()) == 1
