"""Databases that were damaged, edited, or made by another search: told in one line, before any picture is made."""

import sqlite3
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import optuna
import pytest
import torch
from configs import chosen
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState
from program import TINY, refusal, run
from refusals import refusal_of
from tiny_networks import Tiny

from featviz.tasks.tune import study as study_module
from featviz.tasks.tune.stored_trials import check_same_search, check_trials, database_errors, readable
from featviz.tasks.tune.study import count_trials, open_study

pytestmark = pytest.mark.usefixtures("quick_databases")

SPACE = {"optimizer.lr": FloatDistribution(0.01, 1.0), "schedule.number": CategoricalDistribution(["1", "2"])}
PARAMS = {"optimizer.lr": 0.5, "schedule.number": "2"}


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """With one finished trial."""
    folder = tmp_path_factory.mktemp("database")
    study = open_study(chosen("+experiment=tune"), folder)
    study.add_trial(optuna.trial.create_trial(params=PARAMS, distributions=SPACE, value=1.5))
    return (folder / "study.db").read_bytes()


@pytest.fixture
def copied(database: bytes, tmp_path: Path) -> Path:
    """A folder with that database."""
    (tmp_path / "study.db").write_bytes(database)
    return tmp_path


@pytest.fixture
def study(copied: Path) -> optuna.Study:
    return open_study(chosen("+experiment=tune"), copied)


def edited(folder: Path, *statements: str) -> None:
    with sqlite3.connect(folder / "study.db") as connection:
        for statement in statements:
            connection.execute(statement)
    connection.close()


def opened_again(folder: Path) -> None:
    """What a search does with its database before it makes pictures."""
    with database_errors():
        study = open_study(chosen("+experiment=tune"), folder)
        with readable():
            check_trials(study, SPACE)


UNKNOWN = '{"name": "GaussDistribution", "attributes": {}}'
EDITS = {
    "a choice that there is not": "update trial_params set param_value=7 where param_name='schedule.number'",
    "an unknown distribution": f"update trial_params set distribution_json='{UNKNOWN}'",
    "a distribution that is none": "update trial_params set distribution_json='[1'",
    "another distribution": "update trial_params set distribution_json=replace(distribution_json, '1.0', '9.0')",
    "a setting of another space": "update trial_params set param_name='seed' where param_name='optimizer.lr'",
    "outside of the space": "update trial_params set param_value=70.0 where param_name='optimizer.lr'",
    "worth nothing": "delete from trial_values",
    "worth infinity": "update trial_values set value=null, value_type='INF_POS'",
    "a state that there is not": "update trials set state='DANCING'",
    "no column": "alter table trial_params rename column param_value to other",
    "no table": "drop table trial_params",
    "another version": "update alembic_version set version_num='v9.9.9.a'",
}


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS)
def test_a_database_that_was_edited_is_one_line(copied: Path, edit: str) -> None:
    edited(copied, edit)
    assert refusal_of(lambda: opened_again(copied)).setting in ("search.storage", "search.study")


def cut(content: bytes) -> bytes:
    return content[: len(content) // 2]


def overwritten(content: bytes) -> bytes:
    return content[:8192] + b"x" * (len(content) - 8192)


FILES: dict[str, Callable[[bytes], bytes]] = {
    "no database": lambda _: b"no database at all" * 100,
    "cut": cut,
    "overwritten": overwritten,
}


@pytest.mark.parametrize("change", FILES.values(), ids=FILES)
def test_a_damaged_file_is_one_line(copied: Path, change: Callable[[bytes], bytes]) -> None:
    path = copied / "study.db"
    path.write_bytes(change(path.read_bytes()))
    assert refusal_of(lambda: opened_again(copied)).setting == "search.storage"


def test_an_undamaged_one_is_opened_again(copied: Path) -> None:
    opened_again(copied)


def test_the_same_search_goes_on_and_another_is_refused(study: optuna.Study) -> None:
    config = {"layer": "layer4", "seed": 0, "search": {"space": {"optimizer.lr": {"low": 1}}, "trials": 5, "seed": 1}}
    check_same_search(study, config, {"the network's weights": "0123"})
    free = {**config, "search": {**config["search"], "trials": 9, "seed": 2}, "batch_size": 3}  # type: ignore[dict-item]
    check_same_search(study, free, {"the network's weights": "0123"})
    others = {"layer": "layer3", "seed": 1, "search": {"space": {"optimizer.lr": {"low": 2}}}}
    for name, value in others.items():
        other = {**config, name: value}
        error = refusal_of(lambda other=other: check_same_search(study, other, {"the network's weights": "0123"}))
        assert (error.setting, str(error.got).startswith(name)) == ("search.study", True)
    error = refusal_of(lambda: check_same_search(study, config, {"the network's weights": "4567"}))
    assert (error.setting, error.got) == ("search.study", "the network's weights")


@pytest.mark.parametrize(("hours", "counts"), [(0.5, True), (1.5, False), (30, False)])
def test_a_trial_of_another_machine_that_never_ends_is_done_again(
    study: optuna.Study, copied: Path, hours: float, counts: bool
) -> None:
    """The others took a moment: ten times as long, an hour at least, is far longer than any."""
    now = datetime.now()
    finished = optuna.trial.create_trial(params=PARAMS, distributions=SPACE, value=1.0)
    finished.datetime_start, finished.datetime_complete = now - timedelta(minutes=2), now - timedelta(minutes=1)
    running = optuna.trial.create_trial(
        state=TrialState.RUNNING, params=PARAMS, distributions=SPACE, user_attrs={"process": "gone:17"}
    )
    running.datetime_start = now - timedelta(hours=hours)
    study.add_trials([finished, running])
    again = open_study(chosen("+experiment=tune"), copied)
    (trial,) = [trial for trial in again.trials if trial.user_attrs.get(study_module.OWNER) == "gone:17"]
    assert trial.state == (TrialState.RUNNING if counts else TrialState.FAIL)
    assert count_trials(again) == 2 + counts
    queued = [other for other in again.trials if other.state == TrialState.WAITING]
    assert len(queued) == (not counts)


def test_whole_numbers_of_a_space_are_whole(study: optuna.Study) -> None:
    error = refusal_of(lambda: check_trials(study, {**SPACE, "optimizer.lr": IntDistribution(1, 3)}))
    assert error.setting == "search.study"


@pytest.mark.end_to_end
def test_a_search_of_other_weights_is_refused() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        first, other = Tiny().state_dict(), Tiny().state_dict()
    torch.save(first, "w.pt")
    quick = ("layer=second", "filters=0-5", "schedule.size=48", "schedule.steps=3", "restarts=0", "logger=none")
    tune = ("task=tune", *TINY, "model.weights=w.pt", *quick, "search.trials=1", "search.unseen=0")
    space = "search.space={optimizer.lr:{low:0.05,high:0.5}}"
    assert run(*tune, space, "hydra.run.dir=there").status == 0
    assert refusal(*tune, space, "resume=there", "layer=first").got == "layer was second and is first"
    torch.save(other, "w.pt")
    assert refusal(*tune, space, "resume=there").got == "the network's weights"
    storage = f"search.storage=sqlite:///{Path('there/study.db').resolve()}"
    assert refusal(*tune, space, storage, "hydra.run.dir=other").setting == "search.study"
    Path("there/study.db").write_bytes(b"no database")
    assert refusal(*tune, space, "hydra.run.dir=new", storage).setting == "search.storage"
