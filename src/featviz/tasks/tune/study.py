"""An Optuna study whose trials survive a kill and may be shared by several processes."""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import optuna
from omegaconf import DictConfig
from optuna.exceptions import DuplicatedStudyError, UpdateFinishedTrialError
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.exc import IntegrityError, OperationalError, ProgrammingError

from featviz.errors import FeatvizError
from featviz.tasks.tune.goals import Direction
from featviz.tasks.tune.stored_trials import DEFAULT, cause_of, readable

log = logging.getLogger(__name__)

OWNER = "process"  # whose trial it is: host and process number
MARKING = 10.0  # seconds: a process that lives has marked its new trial by then; Optuna draws the settings before that
FAR, FEWEST, LONGEST = 10, timedelta(hours=1), timedelta(days=1)  # when a trial of another machine counts as lost
COUNTED = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.RUNNING)


def open_study(cfg: DictConfig, folder: Path, directions: Sequence[Direction] = ("maximize",)) -> optuna.Study:
    """Open or make the study of ``cfg.search``, whose goals have these directions.

    Trials that a killed process has left are to be done again.

    Raises:
        FeatvizError: the database cannot be used, or holds a study of that name with other objectives.
    """
    search = cfg.search
    url = search.storage or f"sqlite:///{folder.resolve() / 'study.db'}"
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        study = _create_or_load(cfg, _storage(url), directions)
    except Exception as error:  # each database has errors of its own
        address = _without_password(url)
        what = f"search.storage: {address} cannot be used: {cause_of(error)}"
        raise FeatvizError(what, setting="search.storage", got=address) from error
    now = [direction.name.lower() for direction in study.directions]
    if now != [*directions]:
        raise FeatvizError(
            f"the study '{search.study}' in {_without_password(url)} has other objectives ({', '.join(now)})",
            setting="search.goals",
            got=now,
            expected=f"{', '.join(directions)}: choose another search.study, or change search.goals",
        )
    with readable():
        _take_up_again(study)
    return study


def count_trials(study: optuna.Study) -> int:
    """How many trials are done, or being done by some process."""
    return len([trial for trial in study.get_trials(deepcopy=False, states=COUNTED) if DEFAULT not in trial.user_attrs])


def ask(study: optuna.Study, distributions: dict[str, Any]) -> optuna.Trial:
    """The next trial, marked as this process's."""
    while True:
        trial = study.ask(distributions)
        try:
            trial.set_user_attr(OWNER, _process())
        except UpdateFinishedTrialError:  # this process stood still for so long that another has taken it for dead
            continue
        return trial


def end(
    study: optuna.Study, number: int, values: Sequence[float] | None = None, state: TrialState | None = None
) -> None:
    """End a running trial, with what it is worth or how it ended.

    Raises:
        UpdateFinishedTrialError: another process has ended it before.
    """
    try:
        study.tell(number, values, state)
    except ValueError as error:
        if study.get_trials(deepcopy=False)[number].state.is_finished():
            raise UpdateFinishedTrialError(f"trial {number} has been ended by another process") from error
        raise


def _create_or_load(
    cfg: DictConfig, storage: optuna.storages.RDBStorage, directions: Sequence[Direction]
) -> optuna.Study:
    """A study that goes on, or is shared, draws without a seed: it would draw the first trials once more."""
    search = cfg.search
    pruner = optuna.pruners.MedianPruner(n_startup_trials=4) if search.stop_early else optuna.pruners.NopPruner()

    def sampler(seed: int | None) -> optuna.samplers.TPESampler:
        return optuna.samplers.TPESampler(seed=seed, n_startup_trials=6, multivariate=True)

    try:
        return optuna.create_study(
            storage=storage,
            study_name=search.study,
            directions=list(directions),
            sampler=sampler(search.seed),
            pruner=pruner,
        )
    except DuplicatedStudyError:
        return optuna.load_study(storage=storage, study_name=search.study, sampler=sampler(None), pruner=pruner)


def _take_up_again(study: optuna.Study) -> None:
    """End the trials of processes that are no more, and do theirs again."""
    for trial in [*_abandoned(study), *_lost(study)]:
        try:
            end(study, trial.number, state=TrialState.FAIL)
        except UpdateFinishedTrialError:
            continue  # another search has begun at the same time, and was faster
        if trial.params:
            study.enqueue_trial(trial.params)


def _abandoned(study: optuna.Study) -> list[FrozenTrial]:
    """A trial that bears no mark may have been begun just now: it is left the time that marking takes."""
    limit = time.monotonic() + MARKING
    while True:
        running = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
        if all(OWNER in trial.user_attrs for trial in running) or time.monotonic() > limit:
            return [trial for trial in running if not _has_owner(trial)]
        time.sleep(0.2)


def _has_owner(trial: FrozenTrial) -> bool:
    host, _, number = str(trial.user_attrs.get(OWNER, "")).rpartition(":")
    return bool(host) and number.isdecimal() and (host != socket.gethostname() or _lives(int(number)))


def _lost(study: optuna.Study) -> list[FrozenTrial]:
    """Trials of other machines that have been under way for far longer than any that has come to its end.

    Whether a process of another machine lives cannot be asked. One that does, after all, finds its trial ended.
    """
    trials = study.get_trials(deepcopy=False)
    took = [trial.duration for trial in trials if trial.duration and DEFAULT not in trial.user_attrs]
    longest = max(LONGEST if not took else FEWEST, *(FAR * duration for duration in took), timedelta())
    running = [trial for trial in trials if trial.state == TrialState.RUNNING and _has_owner(trial)]
    lost = [trial for trial in running if trial.datetime_start and datetime.now() - trial.datetime_start > longest]
    for trial in lost:
        log.warning("trial %d of %s does not end and is done again", trial.number, trial.user_attrs[OWNER])
    return lost


def _process() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"


def _lives(process: int) -> bool:
    if process == os.getpid():
        return False  # a trial of this process cannot run while the study is opened
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _storage(url: str) -> optuna.storages.RDBStorage:
    """The database; two processes that begin at once both try to make its tables, and one of them comes too late."""
    settings = _waiting(url)
    try:
        return optuna.storages.RDBStorage(url, engine_kwargs=settings)
    except (IntegrityError, ProgrammingError, OperationalError):
        time.sleep(1)
        return optuna.storages.RDBStorage(url, engine_kwargs=settings)


def _waiting(url: str) -> dict[str, Any]:
    return {"connect_args": {"timeout": 60}} if url.startswith("sqlite") else {"pool_pre_ping": True}


def _without_password(url: str) -> str:
    scheme, separator, rest = url.partition("://")
    return f"{scheme}{separator}{rest.rpartition('@')[2]}"
