"""The options of groups: which groups take several, and which options have a setting."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from featviz.config.compose import config_dir, group_options
from featviz.errors import FeatvizError

SEVERAL = ("transforms", "regularizers", "gradients", "projections", "callbacks", "logger")  # pieces by name
LAYERED = ("experiment", "debug")  # several such files are read one after another


def check_options(arguments: Iterable[str]) -> None:
    """Raise FeatvizError for a list of options of a group that takes one, and for a list or names without anything.

    Hydra would read several options on top of each other, and go on without the group where there is none.
    """
    for argument in arguments:
        name, equals, value = argument.lstrip("+").partition("=")
        group = name.partition("@")[0]
        if not equals or value[:1] not in ("[", "{") or not (config_dir() / group).is_dir():
            continue
        if not value.strip("[]{} "):
            one = "none, an option, or a list of them" if group in SEVERAL else _one_of(group)
            raise FeatvizError(setting=group, got=value, expected=one)
        if value[0] == "[" and group not in (*SEVERAL, *LAYERED):
            raise FeatvizError(setting=group, got=value, expected=_one_of(group))


def takes_several(group: str) -> bool:
    """Whether a group may be a list of options, or a setting that is no group may be a list."""
    return group in SEVERAL or not (config_dir() / group).is_dir()


def _one_of(group: str) -> str:
    return f"one option of {group}, such as {group}={group_options(group)[0]}"


def options_with(setting: str) -> list[str]:
    """The options that have a setting of their group: ``callbacks=default`` for ``callbacks.log.numbers_every``.

    Those that belong to one recipe, in ``paper/``, come last.
    """
    group = setting.partition(".")[0]
    options = sorted(group_options(group), key=lambda option: (option.startswith("paper/"), option))
    files = {option: config_dir() / group / f"{option}.yaml" for option in options}
    return [f"{group}={option}" for option, file in files.items() if setting in _settings_in(file, group)]


def _settings_in(file: Path, group: str) -> set[str]:
    """The settings of an option by dotted name, with those of the options beside it that it starts from."""
    from omegaconf import OmegaConf

    content: Any = OmegaConf.to_container(OmegaConf.load(file))
    bases = [base for base in content.pop("defaults", []) if isinstance(base, str)]
    above = [config_dir() if base.startswith("/") else file.parent for base in bases]  # /image/fourier@_here_
    files = [folder / f"{base.strip('/').partition('@')[0]}.yaml" for folder, base in zip(above, bases, strict=True)]
    inherited = {name for base in files if base.is_file() for name in _settings_in(base, group)}
    own = content[group] if group in content and "_target_" not in content else content
    return inherited | {f"{group}.{name}" for name in _names(own)}


def _names(node: Any) -> Iterable[str]:
    for name, value in node.items() if isinstance(node, dict) else ():
        if not str(name).startswith("_"):  # Hydra's: _target_
            yield str(name)
            yield from (f"{name}.{below}" for below in _names(value))
