"""Which folder a command may write into, asked before anything is written: Hydra's side of it.

A folder that is named by the time is made by one command only: of two that start in the same second the second one's
ends in ``_2``. A folder that was typed may be new, or that of the same run, which goes on there.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hydra.experimental.callback import Callback
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, open_dict, read_write
from typing_extensions import override

from featviz.config.launchers.task import print_error
from featviz.config.messages import is_bad_input, message_of
from featviz.config.new_files import missing_folders, remember, remember_job
from featviz.errors import FeatvizError
from featviz.reading import read_yaml
from featviz.runs.same_settings import check_same_command, check_same_run, read_config

KEPT, NEW = ".hydra", ".hydra.new"  # where Hydra writes what was typed: of a run that goes on, beside what is there
BY_TIME = "${now:"
EARLIER_NAMES = "${hydra:job.num}_${folder_name:${hydra:job.override_dirname}}"  # of a sweep's jobs

#: What tasks set by themselves in the configuration of a run's folder, and compare when they go on.
OWN = {"top_filters": ("filters", "photo"), "atlas": ("objective",)}


class NewFolder(Callback):
    """Makes, or looks at, the folder of a run or of a sweep before Hydra writes into it."""

    @override
    def on_run_start(self, config: DictConfig, **kwargs: Any) -> None:
        with _one_line():
            check_names(config)
            path = Path(str(config.hydra.run.dir))
            if BY_TIME in _as_written(config.hydra.run):
                missing = missing_folders(path.parent)
                made = made_alone(path)
                remember(made, [made.absolute(), *missing])
                with _writable(config):
                    config.hydra.run.dir = str(made)
                return
            check_not_root(path)
            remember(path, missing_folders(path))
            if path.exists() or config.get("resume"):
                check_folder(config, path.resolve())
                if config.hydra.output_subdir is not None:
                    with _writable(config):
                        config.hydra.output_subdir = NEW

    @override
    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        with _one_line():
            check_names(config)
            path = Path(str(config.hydra.sweep.dir))
            check_not_root(path)
            if BY_TIME in _as_written(config.hydra.sweep):
                missing = missing_folders(path.parent)
                made = made_alone(path)
                remember(made, [made.absolute(), *missing])
                _set_for_all_jobs(config, "hydra.sweep.dir", str(made))
                return
            remember(path, missing_folders(path))
            if path.exists():
                _set_for_all_jobs(config, "hydra.output_subdir", NEW)
                _name_jobs_as_before(config, path)

    @override
    def on_job_start(self, config: DictConfig, **kwargs: Any) -> None:
        folder = Path(config.hydra.runtime.output_dir)
        keep_first_settings(folder)
        if config.hydra.mode == RunMode.MULTIRUN:
            remember_job(folder)


def check_names(config: DictConfig) -> None:
    """Raise FeatvizError where what a folder is named by is no text: ``output=`` would be the root of the disk."""
    for setting, may_be_null in (("output", False), ("name", False), ("resume", True), ("into", True)):
        name = config.get(setting)
        is_null = name is None and (may_be_null or setting not in config)
        if not is_null and (not isinstance(name, str | int | float) or name == ""):
            expected = "the name of a folder" + (", or null" if may_be_null else "")
            raise FeatvizError(setting=setting, got=name, expected=expected)


def check_not_root(path: Path) -> None:
    """Raise FeatvizError for the root of a disk, all of which would be looked through."""
    if path.resolve() == Path(path.resolve().anchor):
        raise FeatvizError(f"{path} is the root of the disk", got=str(path), expected="a folder of its own")


def made_alone(path: Path) -> Path:
    """Make a folder that nobody else has made: ``path``, or ``path_2``, and so on."""
    path.parent.mkdir(parents=True, exist_ok=True)
    number, chosen = 1, path
    while True:
        try:
            chosen.mkdir()
        except FileExistsError:
            number += 1
            chosen = path.with_name(f"{path.name}_{number}")
        else:
            return chosen


def check_folder(config: DictConfig, path: Path) -> None:
    """Refuse a folder that cannot be gone on with: of another run, or, with ``resume``, of none."""
    task = config.task.get("name")
    begun = (path / KEPT).is_dir()  # and perhaps ended before it had written its configuration
    if task in ("merge", "report"):  # the one compares its folder with its runs, the other writes pages only
        return
    if (path / "config.yaml").exists():
        own = config.copy()
        with _writable(own):
            own.pop("hydra")
        without = OWN.get(task, ())
        check_same_run(own, path, without, config.hydra.overrides.task)
    elif config.get("resume") and begun:
        check_same_command(path, config.hydra.overrides.task)
    elif config.get("resume"):
        read_config(path, "resume")  # which says what there is instead


def keep_first_settings(path: Path) -> None:
    """Of a run that goes on, keep what was typed first; what was typed now is the same, or has no effect.

    A run that ended before it wrote its configuration has made nothing: the folder is that of what was typed now.
    """
    if not (path / NEW).is_dir():
        return
    if (path / KEPT / "overrides.yaml").exists() and (path / "config.yaml").exists():
        shutil.rmtree(path / NEW)
    else:
        shutil.rmtree(path / KEPT, ignore_errors=True)
        (path / NEW).rename(path / KEPT)


def _as_written(node: DictConfig) -> str:
    return str(OmegaConf.to_container(node, resolve=False)["dir"])  # type: ignore[index, call-overload]


def _name_jobs_as_before(config: DictConfig, path: Path) -> None:
    """Have a sweep's jobs find the folders that 0.1.0 has made, which named them otherwise."""
    file = path / "multirun.yaml"
    if file.is_file() and _value(read_yaml(file), "hydra", "sweep", "subdir") == EARLIER_NAMES:
        with _writable(config):
            OmegaConf.update(config, "hydra.sweep.subdir", EARLIER_NAMES)
            config.hydra.overrides.hydra.append(f"hydra.sweep.subdir='{EARLIER_NAMES}'")


def _value(tree: Any, *names: str) -> Any:
    """What stands in a tree under names, one inside the other; None where it does not."""
    for name in names:
        tree = tree.get(name) if isinstance(tree, dict) else None
    return tree


def _set_for_all_jobs(config: DictConfig, name: str, value: str) -> None:
    """Change a setting of Hydra's; each job's configuration is composed anew, of what was typed."""
    quoted = value.replace("\\", "\\\\").replace("'", "\\'").replace("${", "\\${")
    with _writable(config):
        OmegaConf.update(config, name, value)
        config.hydra.overrides.hydra.append(f"{name}='{quoted}'")


@contextmanager
def _writable(config: DictConfig) -> Iterator[None]:
    with read_write(config), open_dict(config):
        hydra = config.get("hydra")
        if hydra is None:
            yield
            return
        with read_write(hydra), open_dict(hydra):
            yield


@contextmanager
def _one_line() -> Iterator[None]:
    """End the program with one line: Hydra would go on after an error of its callbacks."""
    try:
        yield
    except Exception as error:
        if not is_bad_input(error) and not isinstance(error, FeatvizError):
            raise
        sys.exit(print_error(message_of(error)))
