"""What Hydra calls: the task of one composed configuration, and how bad input ends it."""

from __future__ import annotations

import contextlib
import gc
import inspect
import logging
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import hydra
from hydra.conf import HydraConf
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from hydra.utils import get_method
from omegaconf import DictConfig

from featviz.config.checks import check_settings
from featviz.config.compose import config_dir
from featviz.config.failed_imports import check_environment
from featviz.config.garbage import garbage_collection_paused
from featviz.config.messages import is_bad_input, message_of
from featviz.config.new_files import remove_job_files, remove_new_files
from featviz.config.selection import check_inputs_exist
from featviz.config.sweeps import FAILURE
from featviz.config.version import mark_version
from featviz.errors import FeatvizError, JobFailed, one_line, printable

OURS = "FEATVIZ_SETS_HYDRA_FULL_ERROR"  # tells the processes of a sweep's jobs that the user has not
WANT_TRACEBACK = os.environ.get("HYDRA_FULL_ERROR", "0") not in ("", "0") and OURS not in os.environ


@hydra.main(config_path=str(config_dir()), config_name="config", version_base="1.3")
def run_task(cfg: DictConfig) -> float | None:
    """Check the settings of one composed configuration and run its task; returns the number that the task gives."""
    try:
        check_environment()
        mark_version(cfg, _folder_of_a_run())
        check_settings(cfg, HydraConfig.get().overrides.task)
        check_inputs_exist(cfg)
        return _task_of(cfg)(cfg)
    except Exception as error:
        if WANT_TRACEBACK or not is_bad_input(error):
            raise
        job = HydraConfig.get()
        if job.mode != RunMode.MULTIRUN:
            line = message_of(error) + _where(job)
            remove_new_files()
            sys.exit(print_error(line))
        line = f"job {job.job.num} ({job.job.override_dirname}) failed: {message_of(error)}{_where(job)}"
        print_error(line)
        if "submitit" in str(job.launcher._target_):  # its jobs write into logs, and of several it raises the first
            Path(job.runtime.output_dir, FAILURE).write_text(line, encoding="utf-8")
        else:
            remove_job_files()
        raise JobFailed(line) from error  # by Hydra, after the last job: the others go on


def _where(job: HydraConf) -> str:
    """Where relative paths begin, if that is not where the user stands."""
    return f" (hydra.job.chdir=true: paths are relative to {Path.cwd()})" if job.job.chdir else ""


def _task_of(cfg: DictConfig) -> Callable[[DictConfig], float | None]:
    """The function of the task; FeatvizError for what takes no configuration."""
    logging.getLogger("hydra.utils").setLevel(logging.CRITICAL)  # an error that is raised is not logged as well
    with _imported_to_stay():
        task: Callable[[DictConfig], float | None] = get_method(cfg.task._target_)
    try:
        inspect.signature(task).bind(cfg)
    except (TypeError, ValueError) as error:
        expected = "a function that takes the configuration"
        raise FeatvizError(setting="task._target_", got=cfg.task._target_, expected=expected) from error
    return task


@contextlib.contextmanager
def _imported_to_stay() -> Iterator[None]:
    """Look for no garbage among what is imported, neither meanwhile nor later: that takes a third of a short run."""
    if "torch" in sys.modules:  # not the first job of this process: what the one before has left may be garbage
        yield
        return
    with garbage_collection_paused():
        yield
        gc.freeze()


def _folder_of_a_run() -> Path | None:
    """The folder of ``--config-path`` where it is that of an earlier run."""
    folders = [Path(source.path) for source in HydraConfig.get().runtime.config_sources if source.provider == "main"]
    return next((folder for folder in folders if (folder / "results.csv").is_file()), None)


def print_error(text: str) -> int:
    """Print one line on standard error; return the exit status that goes with it."""
    print(f"featviz: {printable(one_line(text, most=1000))}", file=sys.stderr)
    return 1
