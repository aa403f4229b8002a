"""The search of settings: what a trial is worth, what is left at the end, going on, and what is refused."""

import csv
import math
import signal
import sys
import time
from pathlib import Path
from statistics import median

import optuna
import pytest
from configs import chosen
from optuna.distributions import FloatDistribution
from optuna.trial import TrialState
from processes import Forked
from program import TINY, made, refusal, refused, run

from featviz.results.folder import read_rows
from featviz.tasks.tune.search import Search
from featviz.tasks.tune.space import Space
from featviz.tasks.tune.study import open_study

pytestmark = pytest.mark.usefixtures("quick_databases")

QUICK = ("layer=second", "filters=[3,4,7]", "schedule.size=48", "schedule.steps=16", "restarts=0", "logger=none")
LR = "search.space={optimizer.lr:{low:0.05,high:0.5,log:true}}"
SPACE = {"optimizer.lr": FloatDistribution(0.01, 1.0)}
TUNE = ("task=tune", *TINY, *QUICK, "search.trials=5", "search.unseen=2", "optimizer.lr=0.02")


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def trials_of(folder: Path, name: str = "tune") -> list[optuna.trial.FrozenTrial]:
    return optuna.load_study(study_name=name, storage=f"sqlite:///{folder.resolve()}/study.db").get_trials()


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a search from a learning rate that is far too small: nearly everything in the space is better."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("searched"))
        return made(*TUNE, LR).resolve()


@pytest.mark.end_to_end
def test_a_search_finds_better_settings_and_leaves_them_as_a_recipe(searched: Path) -> None:
    default, *trials = table(searched / "trials.csv")
    assert [trial["trial"] for trial in trials] == ["1", "2", "3", "4", "5"]
    assert float(default["robust_activation"]) == 1
    best = max((trial for trial in trials if trial["state"] == "complete"), key=lambda t: float(t["robust_activation"]))
    assert float(best["robust_activation"]) > 1.05
    assert {path.name for path in searched.iterdir()} >= {"history.png", "comparison.csv", "comparison_second.png"}
    rows = [row for row in read_rows(searched / "after") if row["filter"] not in (3, 4, 7)]
    assert len(rows) == 2
    recipe = ("--config-dir", str(searched), "recipe=tuned", f"filters={[row['filter'] for row in rows]}")
    again = made(*TINY, *QUICK, *recipe, output="unseen")
    assert f"lr: {float(best['optimizer.lr'])}" in (again / "config.yaml").read_text()
    assert [row["activation"] for row in read_rows(again)] == [row["activation"] for row in rows]


@pytest.mark.end_to_end
def test_what_a_trial_is_worth_is_computed_from_pictures_made_without_the_search(searched: Path) -> None:
    trial = table(searched / "trials.csv")[1]

    def robust(lr: str) -> list[float]:
        rows = read_rows(made(*TINY, *QUICK, f"optimizer.lr={lr}", output=f"at_{lr}"))
        return [row["activation"] * row["robustness"] for row in rows]

    shares = [after / before for before, after in zip(robust("0.02"), robust(trial["optimizer.lr"]), strict=True)]
    assert float(trial["robust_activation"]) == pytest.approx(median(shares), rel=1e-4)
    seen = {row["filter"] for row in read_rows(searched / "before")}
    assert len(seen) == 2
    assert not seen & {3, 4, 7}
    for row in table(searched / "comparison.csv"):
        before, after = float(row["before"]), float(row["after"])
        assert float(row["ratio"]) == pytest.approx(after / before if before else math.nan, nan_ok=True)


@pytest.mark.end_to_end
def test_two_objectives_give_a_front() -> None:
    folder = made(*TUNE, LR, "search.goals=[robust_activation,high_frequency]", "search.trials=3")
    rows = table(folder / "trials.csv")
    assert len(rows) == 4
    assert all(row["state"] == "complete" and 0 < float(row["high_frequency"]) < 1 for row in rows)
    assert (folder / "pareto.png").is_file()
    error = refusal(*TUNE, LR, f"resume={folder}")
    assert error.setting == "resume"
    assert str(error.got).startswith("search.goals was ")
    assert len(trials_of(folder)) == 4


@pytest.mark.end_to_end
def test_a_hopeless_trial_is_stopped_early() -> None:
    space = "search.space={optimizer.lr:{choices:[0.000001,0.1,0.2]}}"
    folder = made(*TUNE, "recipe=olah2017", space, "search.trials=8")
    trials = table(folder / "trials.csv")
    stopped = [trial for trial in trials if trial["state"] == "pruned"]
    assert {trial["optimizer.lr"] for trial in stopped} >= {"1e-06"}
    assert all(trial["robust_activation"] == "" for trial in stopped)
    assert len(trials) == 9


@pytest.mark.process
@pytest.mark.end_to_end
def test_a_killed_search_goes_on_where_it_was() -> None:
    settings = [*TUNE, LR, "search.trials=6", "schedule.steps=40", "search.stop_early=false"]
    search = Forked(*settings, "hydra.run.dir=there")
    while not search.ended() and "\ntrial 3:" not in search.said():
        time.sleep(0.02)
    time.sleep(0.3)
    search.send(signal.SIGKILL)
    search.wait()
    before = trials_of(Path("there"))
    assert [trial.state for trial in before[:4]] == [TrialState.COMPLETE] * 4
    assert len(before) < 7
    outcome = run(*settings, "resume=there")
    assert outcome.status == 0, outcome
    assert "trial 3:" not in outcome.out
    after = trials_of(Path("there"))
    assert [trial.values for trial in after[:4]] == [trial.values for trial in before[:4]]
    done = [trial for trial in after if trial.state == TrialState.COMPLETE]
    assert len(done) == 1 + 6
    lost = [trial for trial in before if trial.state == TrialState.RUNNING]
    assert all(trial.params in [other.params for other in done] for trial in lost)  # done again


@pytest.mark.end_to_end
def test_the_experiment_runs_small() -> None:
    small = ("search.trials=2", "search.unseen=1", "schedule.size=48", "schedule.steps=6", "layer=second")
    folder = made("+experiment=tune", *TINY, *small, "filters=[3]")
    assert len(table(folder / "trials.csv")) == 3
    line = refused("+experiment=tune", *TINY, *small, "search.space={optimizer.eps:{low:1e-9,high:1e-3}}")
    assert line.endswith("write +search.space={...} with a plus")


REFUSED = {
    "search.space={optimizer.lrr:{low:0.1,high:1}}": "search.space",
    "evidence=none": "evidence",
    "search.storage=postgresql+psycopg://me:secret@127.0.0.1:9/none": "search.storage",
    "filters=[99]": "filters",
}


@pytest.mark.end_to_end
@pytest.mark.parametrize("setting", REFUSED)
def test_what_a_search_cannot_use_is_refused(setting: str) -> None:
    error = refusal(*TUNE, *[LR] * ("space" not in setting), setting)
    assert error.setting == REFUSED[setting]
    assert "secret" not in str(error)


@pytest.mark.end_to_end
def test_a_missing_optuna_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    monkeypatch.delitem(sys.modules, "featviz.tasks.tune.search", raising=False)
    assert refused(*TUNE, LR) == "task=tune needs optuna: pip install 'featviz[tune]'"


@pytest.fixture
def study(tmp_path: Path) -> optuna.Study:
    return open_study(chosen("+experiment=tune"), tmp_path)


def test_a_search_survives_that_its_trial_was_ended_by_another(
    study: optuna.Study, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    search = Search(chosen("+experiment=tune"), Space(SPACE), None, {}, {}, {})  # type: ignore[arg-type]

    def rows(*_: object) -> list[object]:
        study.tell(0, state=TrialState.FAIL)
        return []

    monkeypatch.setattr(search, "_rows", rows)
    monkeypatch.setattr(search, "_values", lambda _rows: [1.0])
    search.run_one(study)
    assert "trial 0: another search took this process for dead and does the trial again" in caplog.text
    assert [trial.state for trial in study.trials] == [TrialState.FAIL]
