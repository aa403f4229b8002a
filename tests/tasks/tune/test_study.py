"""A study that several processes share, and that outlives them."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import optuna
import pytest
from configs import chosen
from optuna.distributions import FloatDistribution
from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import TrialState
from processes import Forked
from program import TINY
from refusals import refusal_of

import featviz.tasks.tune.study
from featviz.tasks.tune.study import ask, end

pytestmark = pytest.mark.usefixtures("quick_databases")

LR = "search.space={optimizer.lr:{low:0.05,high:0.5,log:true}}"
SPACE = {"optimizer.lr": FloatDistribution(0.01, 1.0)}


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


@pytest.mark.parametrize("address", ["nonsense", "sqlite:////nowhere/at/all.db"])
def test_a_database_that_cannot_be_used(address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", lambda _: None)  # until another has made the tables
    cfg = chosen("+experiment=tune", f"search.storage={address}")
    error = refusal_of(lambda: featviz.tasks.tune.study.open_study(cfg, tmp_path))
    assert (error.setting, error.got) == ("search.storage", address)


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
    small = ("layer=second", "filters=[3,4,7]", "schedule.size=48", "schedule.steps=50", "restarts=0", "logger=none")
    search = (LR, "search.trials=6", "search.unseen=2", "search.stop_early=false", f"search.storage={database}")
    settings = ("task=tune", *TINY, *small, *search)
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
    assert 6 <= len(mine) <= 7  # both may ask for the last one
    counts = [text.count(": ") and sum(line.startswith("trial ") for line in text.splitlines()) for text in said]
    assert sum(counts) == len(mine)
    assert len({trial.user_attrs["process"] for trial in mine}) == 2
