"""What people type, rewritten as the arguments that Hydra expects."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException

from featviz.config.compose import config_dir, group_options
from featviz.config.model_settings import model_settings
from featviz.config.options import LAYERED, check_options
from featviz.config.quoting import keep_all, quoted, split_commas, unquoted
from featviz.errors import FeatvizError
from featviz.reading import expanded

MULTIRUN = ("-m", "--multirun")
UNNAMED = ("experiment", "debug", "output", "name")  # what a job's folder is never named by
PATHS = ("--config-path", "-cp")
WITH_VALUE = (*PATHS, "--config-name", "-cn", "--config-dir", "-cd", "--cfg", "-c", "--package", "-p")


def hydra_arguments(arguments: Sequence[str]) -> list[str]:
    """The arguments for Hydra: its own options first, then the settings, rewritten where its grammar differs.

    Names and paths are kept as typed (:func:`featviz.config.quoting.keep_text`).
    For ``task=top_filters``, ``image=photo.jpg`` becomes ``photo='photo.jpg'``, since ``image`` is a group of
    parametrizations. In a single run ``layer=layer3,layer4`` becomes ``layer=[layer3,layer4]``. ``experiment=`` and
    ``debug=``, which no default chooses, get the plus that Hydra asks for; the latter comes last, so that it wins. The
    folder after ``--config-path``, which Hydra looks for beside the program, is one beside the user.

    Example:
        >>> hydra_arguments(["debug=fast", "experiment=photo", "layer=layer3,layer4"])
        ['+experiment=photo', 'layer=[layer3,layer4]', '+debug=fast']
    """
    options, settings = _split(arguments)
    check_options(settings)
    settings = _with_plus(settings)
    takes_photos = bool({"task=top_filters", "+experiment=photo"} & set(settings))
    sweeps = bool(set(MULTIRUN) & set(options)) or any(_is_sweep(setting, options) for setting in settings)
    settings = [_photo_setting(setting) if takes_photos else setting for setting in settings]
    settings = keep_all([*model_settings(settings), *_output_folder(settings, sweeps)], sweeps)
    return [*options, *([*settings, *_short_names(settings)] if sweeps else map(_list_of_filters, settings))]


def _with_plus(settings: Sequence[str]) -> list[str]:
    """Append the option of a group that has no default: to the experiment's settings, those for debugging."""
    first, last = list[str](), list[str]()
    for setting in settings:
        group = setting.lstrip("+").partition("=")[0]
        if group in LAYERED and "=" in setting:
            (last if group == "debug" else first).append("+" + setting.lstrip("+"))
        else:
            first.append(setting)
    return [*first, *last]


def _is_sweep(setting: str, options: Sequence[str]) -> bool:
    """Whether a setting chooses an experiment of ours, or of the user's own folder, that is a multirun."""
    name, _, value = setting.partition("=")
    if name.lstrip("+") != "experiment":
        return False
    own = [Path(after) for before, after in pairwise(options) if before in ("--config-dir", "-cd")]
    own += [Path(option.partition("=")[2]) for option in options if option.startswith("--config-dir=")]
    files = [folder / "experiment" / f"{value}.yaml" for folder in (config_dir(), *own)]
    return any(re.search(r"^\s*mode:\s*MULTIRUN", file.read_text(), re.M) for file in files if file.is_file())


def _split(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Hydra's own arguments, which it wants before all settings, and the settings."""
    options, settings, rest = list[str](), list[str](), list(arguments)
    while rest:
        argument = rest.pop(0)
        if not argument.startswith("-"):
            settings.append(argument)
            continue
        name, equals, value = argument.partition("=")
        options.append(f"{name}={_absolute(value)}" if equals and name in PATHS else argument)
        if name in WITH_VALUE and not equals and rest:
            value = rest.pop(0)
            options.append(_absolute(value) if name in PATHS else value)
    return options, settings


def _absolute(folder: str) -> str:
    return folder if "://" in folder else str(expanded(folder).resolve())


def _output_folder(settings: Sequence[str], sweeps: bool) -> list[str]:
    """``resume=FOLDER``, and the ``into=FOLDER`` of merges and pages: Hydra is not to make another one."""
    values = {name: value for name, _, value in (setting.partition("=") for setting in reversed(settings))}
    if "task=report" in settings:
        return [f"hydra.run.dir={quoted(_pages_folder(values))}"]
    folder = unquoted(values.get("into" if "task=merge" in settings else "resume", "null"))
    if folder in ("null", ""):
        return []
    if sweeps and not Path(folder, "multirun.yaml").is_file():
        beside = [path.parent.name for path in Path(folder).parent.glob("*/multirun.yaml")]
        what = f"resume={folder} is not the folder of a sweep: there is no multirun.yaml"
        raise FeatvizError(what, setting="resume", got=Path(folder).name, known=beside or None)
    return [f"hydra.{'sweep' if sweeps else 'run'}.dir={quoted(folder)}"]


def _pages_folder(values: Mapping[str, str]) -> str:
    """Where pages go: ``into``, or the folder of the only run or sweep that there is to be shown."""
    into, runs = (unquoted(values.get(name, "null")) for name in ("into", "runs"))
    if into not in ("null", ""):
        return into
    only = runs.strip("[]")
    if expanded(only).is_dir():
        return only
    if only in ("null", ""):
        raise FeatvizError(setting="runs", got=None, expected="folders of runs or sweeps, runs=FOLDER")
    from featviz.pages.find import find_runs  # with all that pages are made of

    find_runs([unquoted(text) for text in split_commas(only)])  # what is not there is told first
    raise FeatvizError(setting="into", expected="the folder for the pages, into=FOLDER")


def _short_names(settings: Sequence[str]) -> list[str]:
    """Name a sweep's jobs by the settings that it sweeps over; those typed once are the same in all of them."""
    try:
        overrides = OverridesParser.create().parse_overrides(list(settings))
    except HydraException:  # Hydra says so in its turn
        return []
    swept = {override.key_or_group for override in overrides if override.is_sweep_override()}
    keys = [override.key_or_group for override in overrides]
    same = dict.fromkeys(key for key in keys if key not in {*swept, *UNNAMED})
    names = ",".join(f"'{name}'" for name in [*UNNAMED, *same])
    return [f"hydra.job.config.override_dirname.exclude_keys=[{names}]"] if same else []


def _list_of_filters(argument: str) -> str:
    name, equals, value = argument.partition("=")
    several = name == "filters" and "," in value and not re.match(r"""[\[{"']""", value)
    return f"{name}{equals}[{value}]" if several else argument


def _photo_setting(argument: str) -> str:
    name, _, value = argument.partition("=")
    if name != "image" or value in group_options("image") or not (paths := _paths(value)):
        return argument
    return f"photo={quoted(paths[0])}" if len(paths) == 1 else f"photo=[{','.join(map(quoted, paths))}]"


def _paths(value: str) -> list[str]:
    """The paths that a value names: one, or several with commas between; empty where it looks like none."""
    if expanded(value).exists():
        return [value]
    parts = [part.strip() for part in value.strip("[]").split(",")]
    if all(part and ("." in part or "/" in part) for part in parts):
        return parts
    return [value] if re.search(r"\.\w{2,5}$", value) else []  # a single file, whose name has commas
