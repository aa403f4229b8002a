"""The search of settings: what a trial is worth, what is left at the end, going on, sharing, and what is refused."""

import csv
import math
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import optuna
import pytest
from configs import chosen
from optuna.distributions import FloatDistribution
from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import TrialState
from processes import Forked
from program import TINY, made, refused, run

import featviz.tasks.tune.study
from featviz.results.folder import read_rows
from featviz.tasks.tune.search import Search
from featviz.tasks.tune.space import Space, read_space
from featviz.tasks.tune.study import ask, end

QUICK = ("layer=second", "filters=[3,4,7]", "schedule.size=48", "schedule.steps=16", "restarts=0", "logger=none")
LR = "search.space={optimizer.lr:{low:0.05,high:0.5,log:true}}"
SPACE = {"optimizer.lr": FloatDistribution(0.01, 1.0)}
TUNE = ("task=tune", *TINY, *QUICK, "search.trials=5", "search.unseen=2", "optimizer.lr=0.02")


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def trials_of(folder: Path, name: str = "tune") -> list[optuna.trial.FrozenTrial]:
    return optuna.load_study(study_name=name, storage=f"sqlite:///{folder.resolve()}/study.db").get_trials()


@pytest.mark.end_to_end
def test_a_search_finds_better_settings_and_leaves_them_as_a_recipe() -> None:
    """The default's learning rate is far too small, so nearly everything in the space is better."""
    folder = made(*TUNE, LR)
    default, *trials = table(folder / "trials.csv")
    assert [trial["trial"] for trial in trials] == ["1", "2", "3", "4", "5"]
    assert float(default["robust_activation"]) == 1
    best = max((trial for trial in trials if trial["state"] == "complete"), key=lambda t: float(t["robust_activation"]))
    assert float(best["robust_activation"]) > 1.05
    assert {path.name for path in folder.iterdir()} >= {"history.png", "comparison.csv", "comparison_second.png"}
    other = made(*TINY, *QUICK, "--config-dir", str(folder), "recipe=tuned", output="tuned")
    assert f"lr: {float(best['optimizer.lr'])}" in (other / "config.yaml").read_text()
    rows = [row for row in read_rows(folder / "after") if row["filter"] not in (3, 4, 7)]
    assert len(rows) == 2
    again = made(
        *TINY, *QUICK, "--config-dir", str(folder), "recipe=tuned", f"filters={[r['filter'] for r in rows]}",
        output="unseen",
    )  # fmt: skip
    assert [row["activation"] for row in read_rows(again)] == [row["activation"] for row in rows]


@pytest.mark.end_to_end
def test_what_a_trial_is_worth_is_computed_from_pictures_made_without_the_search() -> None:
    folder = made(*TUNE, LR, "search.trials=1")
    (trial,) = table(folder / "trials.csv")[1:]

    def robust(lr: str) -> list[float]:
        rows = read_rows(made(*TINY, *QUICK, f"optimizer.lr={lr}", output=f"at_{lr}"))
        return [row["activation"] * row["robustness"] for row in rows]

    shares = [after / before for before, after in zip(robust("0.02"), robust(trial["optimizer.lr"]), strict=True)]
    assert float(trial["robust_activation"]) == pytest.approx(median(shares), rel=1e-4)
    seen = {row["filter"] for row in read_rows(folder / "before")}
    assert len(seen) == 2
    assert not seen & {3, 4, 7}
    for row in table(folder / "comparison.csv"):
        before, after = float(row["before"]), float(row["after"])
        assert float(row["ratio"]) == pytest.approx(after / before if before else math.nan, nan_ok=True)


def test_of_several_layers_the_one_that_gains_least_counts() -> None:
    usual = {("low", 0): 2.0, ("low", 1): 1.0, ("low", 2): 1.0, ("high", 0): 10.0, ("high", 1): 0.0}
    search = Search(chosen("+experiment=tune"), Space(SPACE), None, {}, {}, usual)  # type: ignore[arg-type]
    gains = {("low", 0): 4.0, ("low", 1): 3.0, ("low", 2): 1.0, ("high", 0): 15.0, ("high", 1): 9.0}
    rows = [
        {"layer": layer, "filter": number, "activation": gain, "robustness": 1.0, "high_frequency": 0.1, "status": "ok"}
        for (layer, number), gain in gains.items()
    ]
    assert search._values(rows) == [1.5]  # type: ignore[arg-type]  # the medians are 2 and 1.5


@pytest.mark.end_to_end
def test_two_objectives_give_a_front() -> None:
    folder = made(*TUNE, LR, "search.high_frequency=true", "search.trials=3")
    rows = table(folder / "trials.csv")
    assert len(rows) == 4
    assert all(row["state"] == "complete" and 0 < float(row["high_frequency"]) < 1 for row in rows)
    assert (folder / "pareto.png").is_file()
    line = refused(*TUNE, LR, f"resume={folder}")
    assert "is another run: search.high_frequency was True and is False" in line
    assert len(trials_of(folder)) == 4


@pytest.mark.end_to_end
def test_a_hopeless_trial_is_stopped_early() -> None:
    folder = made(*TUNE, "search.space={optimizer.lr:{choices:[0.000001,0.1,0.2,0.3]}}", "search.trials=14")
    trials = table(folder / "trials.csv")
    stopped = [trial for trial in trials if trial["state"] == "pruned"]
    assert {trial["optimizer.lr"] for trial in stopped} >= {"1e-06"}
    assert all(trial["robust_activation"] == "" for trial in stopped)
    assert len(trials) == 15


@pytest.mark.process
@pytest.mark.end_to_end
def test_a_killed_search_goes_on_where_it_was() -> None:
    settings = [*TUNE, LR, "search.trials=8", "schedule.steps=40", "search.stop_early=false"]
    search = Forked(*settings, "hydra.run.dir=there")
    while not search.ended() and "\ntrial 3:" not in search.said():
        time.sleep(0.02)
    time.sleep(0.3)
    search.send(signal.SIGKILL)
    search.wait()
    before = trials_of(Path("there"))
    assert [trial.state for trial in before[:4]] == [TrialState.COMPLETE] * 4
    assert len(before) < 8
    outcome = run(*settings, "resume=there")
    assert outcome.status == 0, outcome
    assert "trial 3:" not in outcome.out
    after = trials_of(Path("there"))
    assert [trial.values for trial in after[:4]] == [trial.values for trial in before[:4]]
    done = [trial for trial in after if trial.state == TrialState.COMPLETE]
    assert len(done) == 1 + 8
    lost = [trial for trial in before if trial.state == TrialState.RUNNING]
    assert all(trial.params in [other.params for other in done] for trial in lost)  # done again


def test_the_experiments_settings_exist_and_its_start_is_in_its_space() -> None:
    cfg = chosen("+experiment=tune")
    space = read_space(cfg)
    assert set(space.of(cfg)) == set(space.distributions)
    assert len(space.distributions) >= 6


@pytest.mark.parametrize(
    "word", ["+search.space.image.sd={low: 0.003, high: 0.1}", "+search.space={image.sd:{low:0.003,high:0.1}}"]
)
def test_a_setting_is_added_to_the_space_by_a_word(word: str) -> None:
    before, after = (read_space(chosen("+experiment=tune", *more)).distributions for more in ([], [word]))
    assert set(after) - set(before) == {"image.sd"}
    assert after["image.sd"] == FloatDistribution(0.003, 0.1)


@pytest.mark.end_to_end
def test_the_experiment_runs_small() -> None:
    small = ("search.trials=2", "search.unseen=1", "schedule.size=48", "schedule.steps=6", "layer=second")
    folder = made("+experiment=tune", *TINY, *small, "filters=[3]")
    assert len(table(folder / "trials.csv")) == 3
    line = refused("+experiment=tune", *TINY, *small, "search.space={optimizer.eps:{low:1e-9,high:1e-3}}")
    assert line.endswith("write +search.space={...} with a plus")


REFUSED = {
    "search.space={optimizer.lrr:{low:0.1,high:1}}": "there is no setting 'optimizer.lrr'; nearest: optimizer.lr",
    "search.space={optimizer.lr:0.1}": "optimizer.lr is 0.1; expected {low: 0.01, high: 0.2, log: true}",
    "search.space={optimizer.lr:{low:1,high:0.1}}": "optimizer.lr is {'low': 1, 'high': 0.1}: ",
    "+search.space.optimizer.lrr={low:0.1,high:1}": "there is no setting 'optimizer.lrr'; nearest: optimizer.lr",
    "+search.space.optimizer.lr={lower:0.1,high:1}": "optimizer.lr is {'lower': 0.1, 'high': 1}; expected {low: 0.01",
    "search.space={}": "search.space is empty; expected settings such as optimizer.lr",
    "search.trials=0": "search.trials is 0; expected a whole number from 1",
    "search.unseen=-1": "search.unseen is -1; expected a whole number from 0",
    "evidence=none": "task=tune goes by the robustness of pictures: expected evidence=default",
    "search.storage=postgresql+psycopg://me:secret@127.0.0.1:9/none": "postgresql+psycopg://127.0.0.1:9/none cannot",
    "search.storage=nonsense": "search.storage: nonsense cannot be used",
    "search.storage=sqlite:////nowhere/at/all.db": "sqlite:////nowhere/at/all.db cannot be used",
    "filters=[99]": "filter 99 is out of range",
}


@pytest.mark.end_to_end
@pytest.mark.parametrize("setting", REFUSED)
def test_what_a_search_cannot_use_is_refused(setting: str) -> None:
    line = refused(*TUNE, *[LR] * ("space" not in setting), setting)
    assert REFUSED[setting] in line
    assert "secret" not in line


@pytest.mark.end_to_end
def test_a_missing_optuna_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    monkeypatch.delitem(sys.modules, "featviz.tasks.tune.search", raising=False)
    assert refused(*TUNE, LR) == "task=tune needs optuna: pip install 'featviz[tune]'"


# trials of other processes


@pytest.fixture
def study(tmp_path: Path) -> optuna.Study:
    return featviz.tasks.tune.study.open_study(chosen("+experiment=tune"), tmp_path)


def test_a_trial_that_another_search_has_ended_is_not_ended_again(study: optuna.Study) -> None:
    trial = ask(study, SPACE)
    study.tell(trial.number, state=TrialState.FAIL)  # as another process does
    with pytest.raises(UpdateFinishedTrialError):
        end(study, trial.number, [1.0])
    assert study.trials[0].state == TrialState.FAIL
    end(study, ask(study, SPACE).number, [2.0])
    assert study.best_trial.number == 1


def test_a_search_survives_that_its_trial_was_ended_by_another(
    study: optuna.Study, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    search = Search(chosen("+experiment=tune"), Space(SPACE), None, {}, {})  # type: ignore[arg-type]

    def rows(*_: object) -> list[object]:
        study.tell(0, state=TrialState.FAIL)
        return []

    monkeypatch.setattr(search, "_rows", rows)
    monkeypatch.setattr(search, "_values", lambda _rows: [1.0])
    search.run_one(study)
    assert "trial 0: another search took this process for dead and does the trial again" in caplog.text
    assert [trial.state for trial in study.trials] == [TrialState.FAIL]


@pytest.mark.process
def test_trials_of_dead_processes_and_without_a_mark_are_done_again_those_of_others_are_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(featviz.tasks.tune.study, "MARKING", 0.3)
    cfg = chosen("+experiment=tune")
    study = featviz.tasks.tune.study.open_study(cfg, tmp_path)
    unmarked, dead, living, elsewhere = (study.ask(SPACE) for _ in range(4))
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        ended.wait()
    host = socket.gethostname()
    for trial, owner in ((dead, f"{host}:{ended.pid}"), (living, f"{host}:{os.getppid()}"), (elsewhere, "other:1")):
        trial.set_user_attr("process", owner)
    began = time.monotonic()
    again = featviz.tasks.tune.study.open_study(cfg, tmp_path)
    assert time.monotonic() - began >= 0.3  # the unmarked one may have been begun just now
    states = [trial.state for trial in again.trials]
    assert states[:4] == [TrialState.FAIL, TrialState.FAIL, TrialState.RUNNING, TrialState.RUNNING]
    queued = [trial.system_attrs["fixed_params"] for trial in again.trials if trial.state == TrialState.WAITING]
    assert queued == [unmarked.params, dead.params]


# a database for several processes


@pytest.fixture
def database() -> Iterator[str]:
    """The address of an empty PostgreSQL database on loopback."""
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if not programs:
        pytest.skip("there is no PostgreSQL: apt-get install postgresql")
    pytest.importorskip("psycopg", reason="there is no psycopg: pip install 'featviz[postgresql]'")
    home = Path(
        subprocess.run(["mktemp", "-d", "/tmp/featviz_pg.XXXXXX"], capture_output=True, text=True).stdout.strip()
    )
    user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    if user:
        subprocess.run(["chown", "postgres", str(home)], check=True)

    def call(program: str, *arguments: str) -> None:
        subprocess.run([*user, str(programs[-1] / program), *arguments], cwd=home, check=True, capture_output=True)

    port = "54329"
    options = f"-p {port} -k {home} -c listen_addresses=127.0.0.1 -c fsync=off"
    call("initdb", "-D", f"{home}/data", "-U", "featviz", "-A", "trust")
    call("pg_ctl", "-D", f"{home}/data", "-w", "-l", f"{home}/log", "-o", options, "start")
    yield f"postgresql+psycopg://featviz@127.0.0.1:{port}/postgres"
    call("pg_ctl", "-D", f"{home}/data", "-m", "immediate", "stop")
    subprocess.run(["rm", "-r", str(home)], check=True)


@pytest.mark.process
@pytest.mark.end_to_end
def test_two_searches_share_a_study_and_lose_no_trial(database: str) -> None:
    settings = [*TUNE, LR, "search.trials=8", "search.stop_early=false", f"search.storage={database}"]
    both = [Forked(*settings, f"hydra.run.dir={name}") for name in ("one", "other")]
    outcomes = [search.wait() for search in both]
    assert [outcome.status for outcome in outcomes] == [0, 0], outcomes
    said = [outcome.out for outcome in outcomes]
    storage = optuna.storages.RDBStorage(database)
    trials = optuna.load_study(study_name="tune", storage=storage).get_trials()
    storage.remove_session()
    storage.engine.dispose()  # a connection left open is told at some later test
    mine = [trial for trial in trials if "default" not in trial.user_attrs]
    assert all(trial.state == TrialState.COMPLETE for trial in mine)
    assert 8 <= len(mine) <= 9  # both may ask for the last one
    counts = [text.count(": ") and sum(line.startswith("trial ") for line in text.splitlines()) for text in said]
    assert sum(counts) == len(mine)
    assert len({trial.user_attrs["process"] for trial in mine}) == 2
