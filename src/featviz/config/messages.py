"""Hydra's and OmegaConf's errors about a configuration, each as one line with the nearest right spelling."""

from __future__ import annotations

import errno
import logging
import re
import traceback
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from featviz.config.compose import compose_default, config_dir, group_options
from featviz.config.failed_imports import failed_import
from featviz.config.options import options_with, takes_several
from featviz.errors import FeatvizError, one_line, printable

if TYPE_CHECKING:
    from hydra.errors import MissingConfigException

EXTRAS = ("submitit",)  # launchers of other packages, each with an extra of that name
RUNNERS = ("joblib", "submitit", "ray")  # what raises when another process dies
DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO)
OTHER_NAMES = {"photo": ("image",)}  # what settings may be called as well: of task=top_filters
MOST_ENDS = 5  # of the settings with the same last part that are told
GROUP_IS_NO_NAME = "Config group override must be a string"  # for this Hydra has no error of its own
SPACE = "search.space"  # of task=tune, which takes names of settings


class PrintableFormatter(logging.Formatter):
    """Writes log lines with escapes where the name of a file, or what stands in it, would control the terminal."""

    @override
    def formatMessage(self, record: logging.LogRecord) -> str:
        record.message = printable(record.message)
        return super().formatMessage(record)


@contextmanager
def readable_errors(overrides: Sequence[str] = ()) -> Iterator[None]:
    """Turn what Hydra raises while it composes a configuration of ``overrides`` into a FeatvizError."""
    try:
        yield
    except Exception as error:
        if not is_bad_input(error):
            raise
        raise error_of(error, overrides) from error


def is_bad_input(error: BaseException) -> bool:
    """Whether an error says that something which the user gave is wrong, rather than the program."""
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    if isinstance(error, FeatvizError | HydraException | OmegaConfBaseException) or _from_runner(error):
        return True
    if isinstance(error, ValueError) and _raised_by(error, "omegaconf"):  # of a name below a list: filters.first=0
        return True
    if isinstance(error, TypeError) and _raised_by(error, "hydra"):  # of a list of numbers for a group: schedule=[1]
        return True
    return GROUP_IS_NO_NAME in str(error) or _of_a_disk(error) or bool(failed_import(error))


def _raised_by(error: BaseException, package: str) -> bool:
    """Whether an error comes from a package's own lines, rather than from what it calls."""
    last = deque(traceback.walk_tb(error.__traceback__), maxlen=1)
    return any(frame.f_globals.get("__name__", "").partition(".")[0] == package for frame, _ in last)


def _of_a_disk(error: BaseException) -> bool:
    """Whether a file could not be used: named by the error, or, where a disk is full, not."""
    return isinstance(error, OSError) and (bool(error.filename) or error.errno in DISK)


def message_of(error: BaseException, overrides: Sequence[str] = ()) -> str:
    """One line for an error that is bad input; ``overrides`` tell which options are chosen."""
    return str(error_of(error, overrides))


def error_of(error: BaseException, overrides: Sequence[str] = ()) -> FeatvizError:
    """The same as a FeatvizError, whose fields tell as much as is known."""
    for ours in (error, error.__cause__):
        if isinstance(ours, FeatvizError):
            return copy(ours)
    told = _told(error, overrides)
    return told if isinstance(told, FeatvizError) else FeatvizError(told)


def _told(error: BaseException, overrides: Sequence[str]) -> FeatvizError | str:
    from hydra.errors import MissingConfigException, OverrideParseException

    if line := failed_import(error):
        return line
    if isinstance(error, OSError) and _of_a_disk(error):
        return f"cannot use {error.filename}: {error.strerror}" if error.filename else f"cannot write: {error.strerror}"
    if isinstance(error, MissingConfigException) and error.missing_cfg_file:
        return _unknown_option(error)
    if isinstance(error, OverrideParseException):
        return f"cannot read '{error.override}'; expected setting=value, or 'setting=[a,b]' with the quotes for a list"
    if _from_runner(error):
        reason = _telling_line(error)
        return f"a job was ended before its time ({reason}); resume=FOLDER of the sweep makes what is missing"
    if isinstance(error, TypeError):
        return _message_of_text(GROUP_IS_NO_NAME, overrides)
    return _message_of_value(str(error), str(error.__cause__)) or _message_of_text(str(error), overrides)


def _message_of_value(text: str, cause: str) -> FeatvizError | str:
    """One line for a list or values by name that take the place of the other; empty for other errors."""
    if merging := re.match(r"Error merging override ([^=]+)=(.*)", text, re.S):
        expected = "a list" if merging[2].startswith("{") else "values by name"
        return FeatvizError(setting=merging[1].lstrip("+"), got=merging[2], expected=expected)
    key = re.search(r"Key '[^']+' is not in struct\s+full_key: ([\w.]+)", cause)
    own = re.match(r"Could not override '([^']+)'.*=\{", text, re.S)
    if not key or not own or key[1] == own[1] or own[1] == SPACE:
        return ""
    return FeatvizError(f"unknown setting '{key[1]}' in {own[1]}={{...}}", setting=key[1], got=key[1])


def _from_runner(error: BaseException) -> bool:
    return type(error).__module__.partition(".")[0] in RUNNERS


def _telling_line(error: BaseException) -> str:
    """What libraries say that put whole logs into their errors."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return one_line(next((line for line in lines if "Error" in line), lines[0] if lines else type(error).__name__))


def _unknown_option(error: MissingConfigException) -> FeatvizError | str:
    group, _, name = str(error.missing_cfg_file).rpartition("/")
    if group.endswith("/paper"):
        group, name = group.removesuffix("/paper"), f"paper/{name}"
    kind = group.rpartition("/")[2] or "configuration"
    if kind == "launcher" and (extra := name.partition("_")[0]) in EXTRAS:
        return f"hydra/launcher={name} is not installed: pip install 'featviz[{extra}]'"
    known = [*(error.options or ()), *group_options(group)]
    return FeatvizError(f"unknown {kind} '{name}'", setting=group or kind, got=name, known=known)


def _message_of_text(text: str, overrides: Sequence[str]) -> FeatvizError | str:
    """One line for an error that Hydra and OmegaConf tell from others by its text alone."""
    if GROUP_IS_NO_NAME in text:
        return "a group (model, recipe, ...) takes the name of one of its options, neither null nor a number"
    if key := re.search(r"Could not (?:override|delete) '([^']+)'|Key '([^']+)' is not in struct", text):
        return _unknown_setting((key[1] or key[2]).split("@")[0], overrides)
    if below := re.match(r"invalid literal for int\(\) with base 10: ('.*')", text):
        return f"{below[1]} stands below a list, whose values have numbers for names; write the whole list, 'key=[a,b]'"
    if append := re.search(r"Could not append.*? at '([^']+)'", text, re.S):
        return f"setting '{append[1]}' exists already: write {append[1]}=... without the plus"
    if "Ambiguous value" in text:
        value = re.search(r"argument '([^=]+)=(.*?)'", text)
        shown = f"'{value[1]}=[{value[2]}]'" if value else "key=[a,b]"
        if value and re.fullmatch(r"-?0,\d+", value[2]):
            point = f"{value[1]}={value[2].replace(',', '.')}"
            return f"a number has a point, {point}; a list in one run is written {shown}; -m sweeps over the values"
        if value and not takes_several(value[1]):
            return f"{value[1]} takes one option, and {value[2]} are several; to sweep over them add -m"
        return f"a list in one run is written {shown} (with the quotes); to sweep over the values add -m"
    if missing := re.search(r"Missing mandatory value: ([\w.]+)", text):
        typed = " or ".join(f"{name}=..." for name in (*OTHER_NAMES.get(missing[1], ()), missing[1]))
        return f"{missing[1]} is missing: give it on the command line, {typed}"
    return one_line(text)


def _unknown_setting(name: str, overrides: Sequence[str]) -> FeatvizError | str:
    if name.startswith(SPACE):
        return "search.space: to vary other settings than the experiment's, write +search.space={...} with a plus"
    settings, first = _settings(overrides), name.partition(".")[0]
    if options := options_with(name):
        what, hint = (
            f"'{name}' is no setting of the options that are chosen",
            "python -m featviz --cfg job ... shows theirs",
        )
        typed = [text for text in overrides if re.match(rf"\+?{first}=|~{first}\b", text)]
        beside = f"it beside {' or '.join(options[:MOST_ENDS])}" + (f", not {typed[-1]}" if typed else "")
        return FeatvizError(what, setting=name, got=name, expected=beside, hint=hint)
    if first not in settings and (tasks := _tasks_with(first)):
        what = f"'{name}' is no setting of the task that is chosen"
        return FeatvizError(what, setting=name, got=name, expected=f"it beside {' or '.join(tasks)}")
    what, hint = f"unknown setting '{name}'", "python -m featviz --cfg job shows all"
    if not (ends := _whose_end_is(name, settings)):
        return FeatvizError(what, setting=name, got=name, known=settings, hint=hint)
    near = f"nearest: {', '.join(ends[:MOST_ENDS])}{', ...' if len(ends) > MOST_ENDS else ''}"
    error = FeatvizError(f"{what}; {near}", setting=name, got=name, hint=hint)
    error.nearest = tuple(ends[:MOST_ENDS])
    return error


def _tasks_with(name: str) -> list[str]:
    """The tasks that alone have a setting: ``task=exemplars``."""
    files = sorted((config_dir() / "task").glob("*.yaml"))
    return [f"task={file.stem}" for file in files if re.search(rf"^{re.escape(name)}:", file.read_text(), re.M)]


def _whose_end_is(name: str, settings: Sequence[str]) -> list[str]:
    """The settings whose last parts are the name, as ``lr`` is that of ``optimizer.lr``; empty where there are none."""
    return sorted((setting for setting in settings if setting.endswith(f".{name}")), key=lambda s: s.count("."))


def _settings(overrides: Sequence[str]) -> list[str]:
    """All settings and groups of the configuration with the options that ``overrides`` choose, by dotted name."""
    groups = [folder.name for folder in config_dir().iterdir() if folder.is_dir()]
    chosen = [text for text in overrides if re.match(rf"\+?(?:{'|'.join(groups)})(?:/\w+)?=[\w/]+$", text)]
    try:
        composed = compose_default(chosen)
    except Exception:  # an option that is not there, or that takes another's place
        composed = compose_default()
    return [*_keys(composed), *groups]


def _keys(node: Any, prefix: str = "") -> list[str]:
    keys = []
    for name in node:
        if str(name).startswith("_"):  # Hydra's: _target_
            continue
        keys.append(f"{prefix}{name}")
        child = node._get_node(name)
        if hasattr(child, "keys") and not child._is_none() and not child._is_interpolation():
            keys += _keys(child, f"{prefix}{name}.")
    return keys
