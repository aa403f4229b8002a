"""Searches settings by ask and tell: what a trial is worth, when it is hopeless, what is written at the end.

A trial makes the pictures of the same filters with other settings. What they are worth is said by the goals (goals.py).
Without others it is their activation under held-out changes (featviz.metrics.perturbations), over that of the settings
that the search starts from.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import optuna
import torch
from omegaconf import DictConfig
from optuna.exceptions import UpdateFinishedTrialError
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from featviz.errors import FeatvizError
from featviz.filters import seed_of
from featviz.metrics.robustness import robust_activation
from featviz.models.model import Model
from featviz.optim.callbacks.pruning import CHECKS, Pruning
from featviz.results.folder import RunFolder
from featviz.results.rows import Row
from featviz.runs.build import build_run
from featviz.runs.inputs import inputs_of
from featviz.runs.plan import make_plan
from featviz.runs.same_settings import plain
from featviz.tasks.tune import report
from featviz.tasks.tune.goals import Goal, goals_of
from featviz.tasks.tune.space import Space, put, read_space
from featviz.tasks.tune.stored_trials import DEFAULT, check_same_search, check_trials, database_errors, readable
from featviz.tasks.tune.study import ask, count_trials, end, open_study
from featviz.tasks.visualize import visualize

log = logging.getLogger(__name__)

Filters = dict[str, list[int]]


@database_errors()
def tune(cfg: DictConfig, folder: Path, model: Model) -> optuna.Study:
    """Run trials until the study has ``cfg.search.trials``; then write the best settings and compare them.

    Raises:
        FeatvizError: the space, the database or the configuration cannot be used, or no trial has succeeded.
    """
    _check(cfg)
    space, goals = read_space(cfg), goals_of(cfg)
    search = Search.prepared(cfg, space, model, goals)
    study = open_study(cfg, folder, [goal.direction for goal in goals.values()])
    with readable():
        check_same_search(study, plain(cfg), inputs_of(plain(cfg), model))
        check_trials(study, space.distributions)
    default = search.measure_default()
    if not study.get_trials(deepcopy=False):
        search.add_default(study, default)
    while count_trials(study) < cfg.search.trials:
        search.run_one(study)
    best = best_of(study)
    report.write(study, best, space, cfg, folder, goals)
    search.compare(space.drawn(best), folder)
    return study


@dataclass
class Search:
    """Makes pictures of the same filters by other settings."""

    cfg: DictConfig
    space: Space
    model: Model
    searched: Filters
    unseen: Filters
    goals: Mapping[str, Goal]
    default_activations: dict[tuple[str, int], float] = field(default_factory=dict)  # robust ones
    default_scores: dict[tuple[str, int, int], float] = field(default_factory=dict)  # by layer, filter and check

    @classmethod
    def prepared(cls, cfg: DictConfig, space: Space, model: Model, goals: Mapping[str, Goal]) -> Search:
        """Draw the filters that the search is not to see."""
        quiet = put(cfg, {"callbacks": {}, "logger": None, "resume": None, "exemplars": None})
        plan = make_plan(build_run(quiet, model))
        searched, unseen = Filters(), Filters()
        for layer in plan.layers:
            searched[layer.name] = list(dict.fromkeys(layer.filters))
            count = plan.traced.resolve(layer.name).channels or 0
            rest = sorted(set(range(count)) - set(layer.filters))
            generator = torch.Generator().manual_seed(seed_of(cfg.seed, "unseen", layer.name))
            order = torch.randperm(len(rest), generator=generator).tolist()
            unseen[layer.name] = sorted(rest[at] for at in order[: cfg.search.unseen])
        return cls(quiet, space, model, searched, unseen, goals)

    def measure_default(self) -> list[float]:
        """What the settings are worth that the search starts from."""

        def record(subject: tuple[str, list[int]], check: int, scores: list[float]) -> None:
            layer, filters = subject
            self.default_scores |= {
                (layer, number, check): score for number, score in zip(filters, scores, strict=True)
            }

        rows = self._rows({}, Pruning(record))
        self.default_activations = {(row["layer"], row["filter"]): robust_activation(row) for row in rows}
        if not any(value > 0 for value in self.default_activations.values()):
            raise FeatvizError("the default settings give no filter an activation above zero; expected other filters")
        return self._values(rows)

    def add_default(self, study: optuna.Study, values: Sequence[float]) -> None:
        """Put the default settings into the study, where the space holds them, without making pictures once more."""
        params = self.space.of(self.cfg)
        complete = len(params) == len(self.space.distributions)
        study.add_trial(
            optuna.trial.create_trial(
                params=params if complete else {},
                distributions=self.space.distributions if complete else {},
                values=list(values),
                user_attrs={DEFAULT: True},
            )
        )

    def run_one(self, study: optuna.Study) -> None:
        """Ask for settings, make the pictures, record what they are worth."""
        trial = ask(study, self.space.distributions)
        try:
            self._run(study, trial)
        except UpdateFinishedTrialError:  # of the same host name, but blind to this process: two containers
            log.warning("trial %d: another search took this process for dead and does the trial again", trial.number)

    def _run(self, study: optuna.Study, trial: optuna.Trial) -> None:
        settings = self.space.drawn(trial)
        shown = ", ".join(f"{name}={_short(value)}" for name, value in settings.items())
        try:
            values = self._values(self._rows(settings, Pruning(self._pruner(trial, study))))
        except optuna.TrialPruned:
            end(study, trial.number, state=TrialState.PRUNED)
            log.info("trial %d: stopped early (%s)", trial.number, shown)
        except FeatvizError as error:
            end(study, trial.number, state=TrialState.FAIL)
            log.warning("trial %d failed: %s (%s)", trial.number, error, shown)
            _check_some_succeed(study)
        else:
            end(study, trial.number, values)
            log.info("trial %d: %s (%s)", trial.number, ", ".join(f"{value:.3f}" for value in values), shown)

    def compare(self, settings: Mapping[str, Any], folder: Path) -> None:
        """Make the pictures of filters that the search has not seen before and after, and say how they differ."""
        if not any(self.unseen.values()):
            return
        for name in ("before", "after"):  # of an earlier start, whose best settings may have been others
            shutil.rmtree(folder / name, ignore_errors=True)
        before, after = (
            self._rows(chosen, None, self.unseen, RunFolder(folder / name))
            for name, chosen in (("before", {}), ("after", settings))
        )
        report.compare(before, after, folder)

    def _rows(
        self,
        settings: Mapping[str, Any],
        pruning: Pruning | None,
        filters: Filters | None = None,
        folder: RunFolder | None = None,
    ) -> list[Row]:
        cfg = put(
            self.cfg,
            {**settings, "filters": filters or self.searched, "layer": list(self.searched)},
        )
        return visualize(cfg, folder, self.model, callbacks=[pruning] if pruning else ()).rows

    def _values(self, rows: Sequence[Row]) -> list[float]:
        return [goal.measure(rows, self.default_activations) for goal in self.goals.values()]

    def _pruner(self, trial: optuna.Trial, study: optuna.Study) -> Any:
        layers = list(self.searched)

        def prune(subject: tuple[str, list[int]], check: int, scores: list[float]) -> None:
            if list(self.goals) != ["robust_activation"]:  # Optuna stops trials of one objective only
                return
            layer, filters = subject
            expected = [self.default_scores.get((layer, number, check), 0.0) for number in filters]
            shares = [score / by_default for score, by_default in zip(scores, expected, strict=True) if by_default > 0]
            if shares:
                trial.report(median(shares), layers.index(layer) * CHECKS + check)
            if trial.should_prune():
                raise optuna.TrialPruned

        return prune


def best_of(study: optuna.Study) -> FrozenTrial:
    """The trial that is best by the first goal; of several goals, among those that no other trial surpasses in all."""
    if len(study.directions) == 1:
        return study.best_trial
    sign = 1 if study.directions[0] == StudyDirection.MAXIMIZE else -1
    return max(study.best_trials, key=lambda trial: sign * trial.values[0])


def _check(cfg: DictConfig) -> None:
    if not cfg.evidence:
        raise FeatvizError(
            "task=tune goes by the robustness of pictures: expected evidence=default", setting="evidence"
        )


def _check_some_succeed(study: optuna.Study) -> None:
    states = [trial.state for trial in study.get_trials(deepcopy=False) if DEFAULT not in trial.user_attrs]
    if len(states) >= 5 and not any(state in (TrialState.COMPLETE, TrialState.PRUNED) for state in states):
        raise FeatvizError(f"{len(states)} trials have failed and none has succeeded; the lines above say why")


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
