"""Sweeps: the network is loaded once, and what is missing in a sweep's folder can be made later."""

import os
import shutil
from itertools import product
from math import isfinite
from pathlib import Path
from typing import Any

import pytest
from events import hyperparameters_of
from hydra.core.utils import JobReturn
from omegaconf import DictConfig, OmegaConf
from pictures import pngs
from program import PLAIN, TINY, Outcome, made, refused, run

from featviz.config import build as config
from featviz.config.sweeps import SweepSummary, jobs_asked_for
from featviz.models.model import Model
from featviz.results.folder import read_rows
from featviz.runs import worker
from featviz.runs.progress import RunProgress
from featviz.tasks import visualize

SWEEP = ("-m", *TINY, "layer=first,second", "filters=[0,1]", "schedule.size=48")
RATES = "optimizer.lr=0.02,0.1"
QUICK = ("schedule.steps=1", *PLAIN, "restarts=0")


def swept(*more: str, status: int = 0, recipe: str = "plain") -> tuple[Path, Outcome]:
    outcome = run(*SWEEP, *QUICK, f"recipe={recipe}", *more)
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
    folder, _ = swept(RATES)
    assert len(loads) == 1
    assert not config._LOADED  # it is let go
    single = made(*(text for text in SWEEP[1:] if "," not in text.replace("[0,1]", "")), *QUICK, "layer=second",
                  "filters=[0,1]", "optimizer.lr=0.1", "recipe=plain", output="single")  # fmt: skip
    (same,) = folder.glob("3_*")
    assert pngs(single) == pngs(same)


@pytest.mark.end_to_end
def test_a_sweep_goes_on_with_what_is_missing() -> None:
    folder, _ = swept(RATES)
    before, table = bytes_of(folder), (folder / "summary.csv").read_text()
    jobs = sorted(folder.glob("?_*"))
    shutil.rmtree(jobs[1])  # as if it had not begun
    [picture.unlink() for picture in (jobs[2] / "images/second").iterdir()]
    kept = {path: path.stat().st_mtime_ns for path in folder.rglob("images/**/*.png")}
    again, outcome = swept(RATES, f"resume={folder}")
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
    assert outcome.err.count("failed: filter 15 is out of range") == 1
    assert len(bytes_of(folder)) == 1
    _, outcome = swept("filters=[15]", f"resume={folder}", status=1)
    assert outcome.err.count("failed: filter 15 is out of range") == 1
    assert len(bytes_of(folder)) == 1


@pytest.mark.end_to_end
def test_other_settings_are_another_sweep() -> None:
    folder, _ = swept()
    before = bytes_of(folder)
    _, outcome = swept(f"resume={folder}", "seed=1", status=1)
    assert outcome.err.count("is another run: model.seed was 0 and is 1, seed was 0 and is 1") == 2
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


@pytest.mark.end_to_end
def test_a_sweeper_gets_a_number_of_each_job(monkeypatch: pytest.MonkeyPatch) -> None:
    """As those of Optuna, Ax and Nevergrad ask for it: the mean activation under perturbations."""
    returned: list[float] = []
    original = SweepSummary.on_job_end

    def kept(summary: SweepSummary, config: DictConfig, job_return: JobReturn) -> None:
        returned.append(job_return.return_value)
        original(summary, config, job_return)

    monkeypatch.setattr(SweepSummary, "on_job_end", kept)
    folder, _ = swept("evidence=default", "schedule.steps=9", recipe="olah2017")
    wanted = []
    for job in sorted(folder.glob("?_*")):
        rows = [(row["activation"] * row["robustness"], row["status"]) for row in read_rows(job)]
        wanted.append(sum(value for value, status in rows if status == "ok" and isfinite(value)) / len(rows))
    assert returned == pytest.approx(wanted)
    assert max(returned) > 0


@pytest.mark.end_to_end
def test_the_hparams_tab_has_what_the_sweep_varies_first() -> None:
    sweep = ("-m", *TINY, "layer=first", "filters=[0,1]", "optimizer.lr=0.02,0.1", "schedule.steps=2,3")
    quick = ("schedule.size=48", *PLAIN[1:], "restarts=0", "hydra.sweep.dir=there")  # with a logger
    assert run(*sweep, *quick).status == 0
    folder = Path("there")
    for job, (rate, steps) in zip(sorted(folder.glob("?_*")), product((0.02, 0.1), (2, 3)), strict=True):
        chosen = hyperparameters_of(job)
        assert list(chosen)[:2] == ["optimizer.lr", "schedule.steps"]
        assert (chosen["optimizer.lr"], chosen["schedule.steps"]) == (rate, steps)
        assert {"model", "layer", "recipe", "seed"} < chosen.keys()
        assert "lr" not in chosen


@pytest.mark.end_to_end
def test_a_sweep_that_is_interrupted_counts_what_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    original = worker.make_missing

    def interrupted(progress: RunProgress, *what: Any) -> None:
        original(progress, *what)
        if progress.plan.run.learning_rate == 0.1:
            raise KeyboardInterrupt

    monkeypatch.setattr(visualize, "make_missing", interrupted)
    _, outcome = swept(RATES, status=130)
    assert "(2 of 4 runs have results)" in outcome.out


ASKED = {
    "two lists": (["layer=a,b", "optimizer.lr=1,2,3"], {}, 6),
    "a list in one run": (["layer=[a,b]"], {}, 1),
    "a range": (["+seed=range(0,5)", "layer=a,b"], {}, 10),
    "an experiment's": (["layer=x"], {"schedule.number": "1,2"}, 2),
    "an experiment's and typed": (["layer=x", "optimizer.lr=0.1,0.2"], {"schedule.number": "1,2"}, 4),
    "typed in place of the experiment's": (["schedule.number=7"], {"schedule.number": "1,2"}, 1),
}


@pytest.mark.parametrize(("typed", "params", "count"), ASKED.values(), ids=ASKED)
def test_jobs_that_are_asked_for(typed: list[str], params: dict[str, str], count: int) -> None:
    sweeper = {"_target_": "hydra._internal.core_plugins.basic_sweeper.BasicSweeper", "params": params}
    cfg = OmegaConf.create({"hydra": {"sweeper": sweeper, "overrides": {"task": typed}}})
    assert isinstance(cfg, DictConfig)
    assert jobs_asked_for(cfg) == count
    cfg.hydra.sweeper._target_ = "elsewhere.Sweeper"
    assert jobs_asked_for(cfg) == 0
