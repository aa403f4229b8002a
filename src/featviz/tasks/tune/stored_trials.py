"""What a database may hold under a study's name: trials of another search, or what cannot be read, told in one line."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from math import isfinite
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.exceptions import StorageInternalError
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.exc import SQLAlchemyError

from featviz.errors import FeatvizError, one_line
from featviz.runs.inputs import Inputs, different_inputs
from featviz.runs.same_settings import Config, differences

DEFAULT = "default"  # marks the settings that the search starts from: no trial of the search
SEARCH = "search"  # the attribute of a study that says what it searches: the settings, and checksums of what goes in
NEW = "another search.study, or a new folder"

#: What a study may differ in between two processes that share it, beside what changes no picture.
OF_A_PROCESS = ("seed", "storage", "study", "trials", "unseen", "stop_early")


@contextmanager
def database_errors() -> Iterator[None]:
    """Turn what a database raises, once it is open, into one line."""
    try:
        yield
    except (SQLAlchemyError, StorageInternalError) as error:
        raise FeatvizError(f"search.storage: {cause_of(error)}", setting="search.storage") from error


@contextmanager
def readable() -> Iterator[None]:
    """Turn what Optuna raises where it reads trials that it has not written into one line."""
    try:
        yield
    except FeatvizError:  # a ValueError too
        raise
    except (LookupError, ValueError, TypeError, AttributeError) as error:
        what = f"search.storage holds trials that cannot be read: {one_line(repr(error))}"
        raise FeatvizError(what, setting="search.storage", expected=NEW) from error


def check_same_search(study: optuna.Study, config: Config, inputs: Inputs) -> None:
    """Note what a new study searches; refuse one that has searched by other settings, or of another network.

    Raises:
        FeatvizError: it is another search's, with what differs.
    """
    ours = {"settings": _settings_of(config), "inputs": dict(inputs)}
    theirs = study.user_attrs.get(SEARCH)
    if theirs is None:
        study.set_user_attr(SEARCH, ours)
        return
    if not isinstance(theirs, dict):
        what = f"the study '{study.study_name}' does not say what it searches"
        raise FeatvizError(what, setting="search.study", got=study.study_name, expected=NEW)
    changed = different_inputs(theirs.get("inputs"), ours["inputs"])
    differ = differences(theirs.get("settings") or {}, ours["settings"])
    if differ or changed:
        told = differ or f"it was made of other contents of {changed}"
        what = f"the study '{study.study_name}' is another search: {told}"
        raise FeatvizError(what, setting="search.study", got=differ or changed, expected=NEW)


def _settings_of(config: Config) -> Mapping[str, Any]:
    """The settings that trials depend on, as JSON gives them back."""
    search = {name: value for name, value in config["search"].items() if name not in OF_A_PROCESS}
    settings: Mapping[str, Any] = json.loads(json.dumps({**config, "search": search}, default=str))
    return settings


def check_trials(study: optuna.Study, space: Mapping[str, BaseDistribution]) -> None:
    """Refuse trials that this search cannot have made.

    Raises:
        FeatvizError: one was drawn from another space, or is worth what is no number.
    """
    for trial in study.get_trials(deepcopy=False):
        if wrong := _wrong_in(trial, space, len(study.directions)):
            what = f"trial {trial.number} of the study '{study.study_name}' {wrong}"
            raise FeatvizError(what, setting="search.study", got=wrong, expected=NEW)


def _wrong_in(trial: FrozenTrial, space: Mapping[str, BaseDistribution], objectives: int) -> str:
    for name, distribution in trial.distributions.items():
        if name not in space or space[name] != distribution:
            return f"was drawn from another space: {name} from {distribution}"
        if not distribution._contains(distribution.to_internal_repr(trial.params[name])):
            return f"has {name}={trial.params[name]}, outside of the space"
    if trial.state != TrialState.COMPLETE:
        return ""
    if trial.params.keys() != space.keys() and DEFAULT not in trial.user_attrs:
        return f"has no {', '.join(space.keys() - trial.params.keys())}"
    if not (trial.values and len(trial.values) == objectives and all(map(isfinite, trial.values))):
        return f"is worth {trial.values}"
    return ""


def cause_of(error: BaseException) -> str:
    """The database's own words; a missing driver with the extra that brings it."""
    if isinstance(error, ModuleNotFoundError):
        return f"no driver {error.name}; pip install 'featviz[postgresql]'"
    return one_line(error).split(" (Background on this error")[0]
