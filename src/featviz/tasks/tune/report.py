"""What a search leaves in its folder: all trials, plots, the best settings as a recipe, pictures before and after."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping, Sequence
from itertools import accumulate
from pathlib import Path
from statistics import median
from typing import Any

import optuna
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf
from optuna.trial import FrozenTrial, TrialState

from featviz.config.compose import config_dir
from featviz.results.files import file_name, png, write_file, write_table
from featviz.results.folder import load_tile
from featviz.results.plots import INK, MARK, figure_png, new_figure, new_figures
from featviz.results.rows import Row, is_doubtful, outcome
from featviz.results.sheets import Cell, table_sheet
from featviz.tasks.tune.goals import Goal
from featviz.tasks.tune.space import Space, put
from featviz.tasks.tune.stored_trials import DEFAULT

log = logging.getLogger(__name__)


def write(
    study: optuna.Study, best: FrozenTrial, space: Space, cfg: DictConfig, folder: Path, goals: Mapping[str, Goal]
) -> None:
    """Write ``trials.csv``, the plots and ``recipe/tuned.yaml``."""
    trials = study.get_trials(deepcopy=False)
    rows = [
        {"trial": trial.number, "state": trial.state.name.lower(), **_numbers(trial, goals), **space.drawn(trial)}
        for trial in trials
    ]
    write_table(folder / "trials.csv", list(dict.fromkeys(name for row in rows for name in row)), rows)
    write_file(folder / "history.png", _history(trials, best, next(iter(goals.values()))))
    if importances := _importances(study):
        write_file(folder / "importance.png", _bars(importances))
    if len(study.directions) > 1:
        write_file(folder / "pareto.png", _pareto(study, best, list(goals.values())))
    if DEFAULT in best.user_attrs:
        log.info("no trial is better than the default settings")
        return
    path = folder / "recipe/tuned.yaml"
    worth = ", ".join(f"{goal.label} {value:.3f}" for goal, value in zip(goals.values(), best.values, strict=True))
    write_file(path, _recipe(space.drawn(best), f"trial {best.number}, {worth}", cfg).encode())
    log.info("best: trial %d, %s", best.number, worth)
    log.info("use it with: python -m featviz --config-dir %s recipe=tuned", folder)


def compare(before: Sequence[Row], after: Sequence[Row], folder: Path) -> None:
    """Write ``comparison.csv`` and a sheet for each layer of the pictures before and after, and tell the medians."""
    from featviz.metrics.robustness import robust_activation

    pairs = list(zip(before, after, strict=True))
    rows: list[dict[str, Any]] = []
    for old, new in pairs:
        first, second = robust_activation(old), robust_activation(new)
        ratio = second / first if first > 0 else float("nan")
        rows.append({"layer": old["layer"], "filter": old["filter"], "before": first, "after": second, "ratio": ratio})
    write_table(folder / "comparison.csv", ("layer", "filter", "before", "after", "ratio"), rows)
    for layer in dict.fromkeys(row["layer"] for row in before):
        ratios = [row["ratio"] for row in rows if row["layer"] == layer and row["before"] > 0]
        better = sum(ratio > 1 for ratio in ratios)
        if ratios:
            log.info(
                "%s: on %d filters that the search has not seen %.3f times the default's robust activation (median), "
                "more for %d of them",
                *(layer, len(ratios), median(ratios), better),
            )
        write_file(folder / f"comparison_{file_name(layer)}.png", _sheet(layer, pairs, folder))


def _sheet(layer: str, pairs: Sequence[tuple[Row, Row]], folder: Path) -> bytes:
    of_layer = [pair for pair in pairs if pair[0]["layer"] == layer]
    lines = [
        [Cell(load_tile(folder / name, pair[at]), outcome(pair[at]), is_doubtful(pair[at])) for pair in of_layer]
        for at, name in enumerate(("before", "after"))
    ]
    names = [f"filter {old['filter']}" for old, _ in of_layer]
    return png(table_sheet(lines, ["default", "tuned"], names, f"{layer}: filters that the search has not seen"))


def _recipe(settings: dict[str, Any], found: str, cfg: DictConfig) -> str:
    """The settings as a recipe upon the one that the search started from, with the groups that it used."""
    lines = ["# @package _global_", f"# Found by task=tune: {found}"]
    lines += [f"# from {cfg.recipe.name}, layer {cfg.layer}, filters {cfg.filters}", "defaults:"]
    lines += [f"  - {cfg.recipe.name}"]
    choices, own = dict(HydraConfig.get().runtime.choices), _groups_of(cfg.recipe.name)
    groups = dict.fromkeys(name.partition(".")[0] for name in settings)
    lines += [
        f"  - override /{group}: {choices[group]}"
        for group in groups
        if choices.get(group) not in (None, own.get(group))
    ]
    return "\n".join([*lines, "", OmegaConf.to_yaml(put(OmegaConf.create(), {"recipe.name": "tuned", **settings}))])


def _groups_of(recipe: str) -> dict[str, str]:
    """What a recipe of ours chooses, by group: what the one that it starts from does, and its own."""
    path = config_dir() / "recipe" / f"{recipe}.yaml"
    groups: dict[str, str] = {}
    for entry in OmegaConf.select(OmegaConf.load(path), "defaults", default=[]) if path.is_file() else []:
        if OmegaConf.is_dict(entry):
            groups |= {str(key).removeprefix("override /"): str(value) for key, value in entry.items()}
        elif entry != "_self_":
            groups |= _groups_of(entry)
    return groups


def _numbers(trial: FrozenTrial, goals: Mapping[str, Goal]) -> dict[str, Any]:
    done = trial.values and trial.state == TrialState.COMPLETE
    return dict(zip(goals, trial.values if done else [None] * len(goals), strict=True))


def _importances(study: optuna.Study) -> dict[str, float]:
    """How much each setting matters (PED-ANOVA, Watanabe et al. 2023, arXiv 2304.10255); nothing of too few trials."""
    done = [trial for trial in study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)) if trial.params]
    if len(done) < 4:
        return {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what Optuna calls experimental
        try:
            return optuna.importance.get_param_importances(
                study,
                evaluator=optuna.importance.PedAnovaImportanceEvaluator(),
                target=None if len(study.directions) == 1 else lambda trial: trial.values[0],
            )
        except (ValueError, RuntimeError) as error:
            log.info("no plot of importances: %s", error)
            return {}


def _history(trials: Sequence[FrozenTrial], best: FrozenTrial, goal: Goal) -> bytes:
    done = [trial for trial in trials if trial.state == TrialState.COMPLETE]
    figure, axes = new_figure(8, 4)
    axes.plot([t.number for t in done], [t.values[0] for t in done], "o", color=INK, label="trials")
    so_far = list(accumulate((trial.values[0] for trial in done), lambda *values: goal.best(values)))
    axes.step([t.number for t in done], so_far, where="post", color=INK, alpha=0.5, label="best so far")
    axes.plot([best.number], [best.values[0]], "o", color=MARK, label="best")
    pruned = [trial.number for trial in trials if trial.state == TrialState.PRUNED]
    axes.plot(pruned, [axes.get_ylim()[0]] * len(pruned), "x", color="#999999", label="stopped early", clip_on=False)
    for default in (trial for trial in done if DEFAULT in trial.user_attrs):
        axes.axhline(default.values[0], color="#999999", linewidth=0.6)
    axes.set(xlabel="trial", ylabel=goal.label)
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    return figure_png(figure)


def _bars(importances: dict[str, float]) -> bytes:
    figure, axes = new_figure(8, 1 + 0.35 * len(importances))
    names = list(importances)[::-1]
    axes.barh(names, [importances[name] for name in names], color=INK)
    axes.set(xlabel="importance (PED-ANOVA)")
    axes.spines[["top", "right"]].set_visible(False)
    return figure_png(figure)


def _pareto(study: optuna.Study, best: FrozenTrial, goals: Sequence[Goal]) -> bytes:
    """The first goal over each of the others, a plot each."""
    done = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    figure, plots = new_figures(6, 5, len(goals) - 1)
    for at, (axes, goal) in enumerate(zip(plots, goals[1:], strict=True), 1):
        axes.plot([t.values[at] for t in done], [t.values[0] for t in done], "o", color=INK, alpha=0.4, label="trials")
        front = sorted((t.values[at], t.values[0]) for t in study.best_trials)
        axes.plot([x for x, _ in front], [y for _, y in front], "o", color=INK, label="not surpassed in all")
        axes.plot([best.values[at]], [best.values[0]], "o", color=MARK, label="taken")
        axes.set(xlabel=goal.label, ylabel=goals[0].label)
        axes.legend(frameon=False)
        axes.spines[["top", "right"]].set_visible(False)
    return figure_png(figure)
