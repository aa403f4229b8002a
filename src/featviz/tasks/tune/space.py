"""The settings that a search varies: between what bounds, and how a trial's are put into a configuration."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import optuna
from omegaconf import DictConfig, OmegaConf
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from featviz.config.compose import config_dir
from featviz.config.kinds import check_kinds
from featviz.config.quoting import literals
from featviz.config.signatures import Arguments
from featviz.errors import FeatvizError, one_line

OF_A_FORM = Arguments({**dict.fromkeys(("low", "high", "step"), (float,)), "log": (bool,), "choices": (Sequence,)})
FORMS = "{low: 0.01, high: 0.2, log: true} or {choices: [a, b]}"


@dataclass(frozen=True)
class Space:
    """Setting by dotted name: what Optuna draws from. Choices are drawn as JSON, since some are lists."""

    distributions: dict[str, BaseDistribution]

    def drawn(self, trial: optuna.Trial | optuna.trial.FrozenTrial) -> dict[str, Any]:
        """The settings of a trial."""
        return {name: self._value(name, trial.params[name]) for name in self.distributions if name in trial.params}

    def _value(self, name: str, drawn: Any) -> Any:
        return json.loads(drawn) if isinstance(self.distributions[name], CategoricalDistribution) else drawn

    def of(self, cfg: DictConfig) -> dict[str, Any]:
        """What these settings are in a configuration, as Optuna takes them; without those that cannot be drawn."""
        values = {}
        for name, distribution in self.distributions.items():
            value = OmegaConf.select(cfg, name)
            if OmegaConf.is_config(value):
                value = OmegaConf.to_container(value, resolve=True)
            if isinstance(distribution, CategoricalDistribution):
                value = json.dumps(value)
            if _can_be(value, distribution):
                values[name] = value
        return values


def read_space(cfg: DictConfig) -> Space:
    """``cfg.search.space``.

    Raises:
        FeatvizError: a setting does not exist, or what it is drawn from is malformed.
    """
    space = cfg.search.space
    if OmegaConf.is_missing(cfg.search, "space") or not isinstance(space, DictConfig) or not len(space):
        expected = f"settings such as optimizer.lr, each as {FORMS}"
        what = "" if isinstance(space, str | int | float) else "search.space is empty"
        raise FeatvizError(what, setting="search.space", got=space, expected=expected)
    known = [str(name) for name in _keys(cfg) if not str(name).startswith(("search", "hydra", "task"))]
    given: Any = OmegaConf.to_container(space, resolve=True)
    found = {}
    for name, form in _by_dotted_name(given, known):
        if name not in known:
            what = f"search.space: there is no setting '{name}'"
            raise FeatvizError(what, setting="search.space", got=name, known=known)
        if (config_dir() / name).is_dir():
            what = f"search.space: {name} is a group, whose option is chosen before a search"
            raise FeatvizError(what, setting="search.space", got=name, expected=f"settings in it, {name}.NAME")
        found[name] = _distribution(name, form)
    return Space(found)


def _by_dotted_name(given: Mapping[str, Any], known: Sequence[str], prefix: str = "") -> list[tuple[str, Any]]:
    """Settings as {image.sd: ...} and as {image: {sd: ...}}, which is how they come from the command line."""
    found = []
    for name, form in given.items():
        path = f"{prefix}{name}"
        nested = isinstance(form, Mapping) and form and not set(form) & {"low", "high", "choices"}
        within = nested and any(other.startswith(f"{path}.") for other in known)
        found += _by_dotted_name(form, known, f"{path}.") if within else [(path, form)]
    return found


def put(cfg: DictConfig, settings: Mapping[str, Any]) -> DictConfig:
    """A copy of a configuration with other settings."""
    other = cfg.copy()
    OmegaConf.set_struct(other, False)
    for name, value in settings.items():
        OmegaConf.update(other, name, literals(value), merge=False)
    return other


def _distribution(name: str, form: Any) -> BaseDistribution:
    setting = f"search.space.{name}"
    if not isinstance(form, Mapping) or not ({"low", "high"} <= set(form) or "choices" in form):
        raise FeatvizError(setting=setting, got=form, expected=FORMS)
    check_kinds(form, OF_A_FORM, f"{setting}.")
    try:
        if "choices" in form:
            return CategoricalDistribution([json.dumps(choice) for choice in form["choices"]])
        whole = all(isinstance(value, int) for key, value in form.items() if key != "log")
        if whole:
            return IntDistribution(**{str(key): value for key, value in form.items()})
        return FloatDistribution(**{str(key): value for key, value in form.items()})
    except (TypeError, ValueError) as error:
        raise FeatvizError(
            f"{setting} is {form}: {one_line(error)}", setting=setting, got=form, expected=FORMS
        ) from error


def _can_be(value: Any, distribution: BaseDistribution) -> bool:
    try:
        return distribution._contains(distribution.to_internal_repr(value))
    except (TypeError, ValueError):
        return False


def _keys(node: Any, prefix: str = "") -> list[str]:
    keys = []
    for name in node:
        child = node._get_node(name)
        keys.append(f"{prefix}{name}")
        if isinstance(child, DictConfig) and not child._is_none() and not child._is_missing():
            keys += _keys(child, f"{prefix}{name}.")
    return keys
