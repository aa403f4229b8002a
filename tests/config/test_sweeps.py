"""Sweeps: the network is loaded once, and what is missing in a sweep's folder can be made later."""

import os
import shutil
from pathlib import Path

import pytest
from pictures import pngs
from program import TINY, Outcome, made, refused, run

from featviz.config import build as config
from featviz.models.model import Model

SWEEP = ("-m", *TINY, "layer=first,second", "filters=[0,1]", "optimizer.lr=0.02,0.1", "schedule.size=48")
QUICK = ("schedule.steps=3", "logger=none", "callbacks=none", "evidence=none", "restarts=0")


def swept(*more: str, status: int = 0) -> tuple[Path, Outcome]:
    outcome = run(*SWEEP, *QUICK, *more)
    assert outcome.status == status, outcome
    (folder,) = Path("outputs/visualize").iterdir()
    return folder, outcome


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("images/**/*.png")}


@pytest.mark.end_to_end
def test_the_network_is_loaded_once_and_pictures_are_those_of_single_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    loads, load = [], config._load

    def counted(node: object) -> Model:
        loads.append(node)
        return load(node)  # type: ignore[arg-type]

    monkeypatch.setattr(config, "_load", counted)
    folder, _ = swept()
    assert len(loads) == 1
    assert not config._LOADED  # it is let go
    single = made(*(text for text in SWEEP[1:] if "," not in text.replace("[0,1]", "")), *QUICK, "layer=second",
                  "filters=[0,1]", "optimizer.lr=0.1", output="single")  # fmt: skip
    (same,) = folder.glob("3_*")
    assert pngs(single) == pngs(same)


@pytest.mark.end_to_end
def test_a_sweep_goes_on_with_what_is_missing() -> None:
    folder, _ = swept()
    before, table = bytes_of(folder), (folder / "summary.csv").read_text()
    jobs = sorted(folder.glob("?_*"))
    shutil.rmtree(jobs[1])  # as if it had not begun
    (jobs[2] / "images/second/0001.png").unlink()
    kept = {path: path.stat().st_mtime_ns for path in folder.rglob("images/**/*.png")}
    again, outcome = swept(f"resume={folder}")
    assert again == folder
    assert bytes_of(folder) == before
    assert all(path.stat().st_mtime_ns == when for path, when in kept.items())
    assert all(f"{job}: " in outcome.out for job in jobs)  # a line for each
    names = [line.split(",")[0] for line in (folder / "summary.csv").read_text().splitlines()]
    assert names == [line.split(",")[0] for line in table.splitlines()]


@pytest.mark.end_to_end
def test_a_failed_job_is_made_when_the_sweep_goes_on() -> None:
    """The second layer's filter 15 does not exist in the first."""
    folder, outcome = swept("filters=[15]", status=1)
    assert outcome.err.count("failed: filter 15 is out of range") == 2
    assert len(bytes_of(folder)) == 2
    _, outcome = swept("filters=[15]", f"resume={folder}", status=1)
    assert outcome.err.count("failed: filter 15 is out of range") == 2
    assert len(bytes_of(folder)) == 2


@pytest.mark.end_to_end
def test_other_settings_are_another_sweep() -> None:
    folder, _ = swept()
    before = bytes_of(folder)
    _, outcome = swept(f"resume={folder}", "seed=1", status=1)
    assert outcome.err.count("is another run: model.seed was 0 and is 1, seed was 0 and is 1") == 4
    assert bytes_of(folder) == before


@pytest.mark.end_to_end
def test_only_the_folder_of_a_sweep_goes_on() -> None:
    folder, _ = swept()
    line = refused(*SWEEP, *QUICK, f"resume={folder.with_name(folder.name[:-1])}")
    assert line.endswith(f"is not the folder of a sweep: there is no multirun.yaml; nearest: {folder.name}")
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


@pytest.mark.end_to_end
def test_a_sweep_folder_that_cannot_be_made() -> None:
    Path("taken").write_text("a file")
    line = refused(*SWEEP, *QUICK, "output=taken")
    assert "taken" in line
    assert Path("taken").read_text() == "a file"


@pytest.mark.end_to_end
def test_a_sweep_folder_without_write_permission() -> None:
    if os.geteuid():
        Path("shut").mkdir(mode=0o555)
        output = "shut/below"
    else:  # whom only the kernel's own files refuse
        output = "/sys/featviz"
    line = refused(*SWEEP, *QUICK, f"output={output}")
    assert line.startswith(f"cannot use {output}: ")
    assert "ermi" in line  # permitted, permission
