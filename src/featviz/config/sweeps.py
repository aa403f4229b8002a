"""Hydra's side of a sweep: its summary is kept up to date after every job."""

from __future__ import annotations

import sys
from math import prod
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.experimental.callback import Callback
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from typing_extensions import override

from featviz.config.build import forget_models
from featviz.config.compose import in_sweep
from featviz.config.new_files import remove_if_only_typed
from featviz.config.quoting import unquoted
from featviz.config.report import write_pages
from featviz.errors import FeatvizError, one_line
from featviz.results.job_folders import job_folders
from featviz.results.sweep import JobReader, summarize, write_summary_table
from featviz.results.typed_words import typed_pair

FAILURE = "failure.txt"  # in a job's folder: why it failed, where only this file can tell


class SweepSummary(Callback):
    """Keeps ``summary.csv`` up to date after every job; at the end draws ``summary.png`` and tells where."""

    def __init__(self) -> None:
        self._readers: dict[Path, JobReader] = {}  # by the sweep's folder

    @override
    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        # Remembered here: when a job has failed, Hydra leaves without ``on_multirun_end``.
        folder = _sweep_folder(config)
        for path in _failures(folder):  # of a sweep that was killed before it could tell
            path.unlink()
        _UNFINISHED.append((folder, jobs_asked_for(config), config.get("report")))

    @override
    def on_job_end(self, config: DictConfig, job_return: Any, **kwargs: Any) -> None:
        if config.hydra.mode == RunMode.MULTIRUN:
            folder = _sweep_folder(config)
            reader = self._readers.setdefault(folder, JobReader(folder))
            write_summary_table(folder, reader.jobs())

    @override
    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        finish_sweeps()


def jobs_asked_for(config: DictConfig) -> int:
    """How many jobs a sweep is to have, as far as Hydra's own sweeper lists them before it begins; 0 is not known."""
    sweeper = config.hydra.sweeper
    if not str(sweeper._target_).endswith("BasicSweeper"):
        return 0
    typed = [str(text) for text in config.hydra.overrides.task]
    params = [f"{name}={value}" for name, value in (sweeper.get("params") or {}).items()]
    overrides = OverridesParser.create().parse_overrides([*params, *typed])
    by_name = {override.get_key_element(): override for override in overrides}
    swept = [override for override in by_name.values() if override.is_sweep_override()]
    return prod(sum(1 for _ in override.sweep_string_iterator()) for override in swept)


def varied_settings(cfg: DictConfig) -> dict[str, str | int | float]:
    """What sets this job of a sweep apart from the others: setting by dotted name; nothing in a run by itself."""
    if not in_sweep():
        return {}
    hydra = HydraConfig.get()
    same = {str(name) for name in hydra.job.config.override_dirname.exclude_keys}
    pairs = (typed_pair(str(text)) for text in hydra.overrides.task)
    typed = {name: unquoted(value) for name, value in pairs if name not in same}
    values = {name: OmegaConf.select(cfg, name) for name in typed}
    return {name: values[name] if isinstance(values[name], int | float) else text for name, text in typed.items()}


#: Folders, with how many jobs were asked for, and what writes their pages.
_UNFINISHED: list[tuple[Path, int, DictConfig | None]] = []


def finish_sweeps() -> None:
    """Write table and sheet of sweeps that have begun, whether or not all jobs succeeded, and print one line."""
    forget_models()
    while _UNFINISHED:
        folder, asked, report = _UNFINISHED.pop()
        _print_failures(folder)
        _summarize(folder, asked)
        try:
            write_pages(report, folder)
        except KeyboardInterrupt:  # which has been said; the jobs are all there
            sys.exit(130)


def _summarize(folder: Path, asked: int) -> None:
    """Write a sweep's table and sheet, and print one line."""
    try:
        jobs = summarize(folder)
    except FeatvizError as error:
        print(f"No summary: {error}")
        return
    finished = sum(bool(job.rows) for job in jobs)
    shown = folder.relative_to(Path.cwd()) if folder.is_relative_to(Path.cwd()) else folder
    if finished:
        print(f"Summary: {shown / 'summary.png'} and .csv ({finished} of {max(asked, len(jobs))} runs have results)")


def _print_failures(folder: Path) -> None:
    """Print why jobs failed whose own line went into a log."""
    for path in _failures(folder):
        print(f"featviz: {one_line(path.read_text(encoding='utf-8'), most=1000)}", file=sys.stderr)
        path.unlink()
        remove_if_only_typed(path.parent)


def _failures(folder: Path) -> list[Path]:
    return [job / FAILURE for job in job_folders(folder) if (job / FAILURE).is_file()]


def _sweep_folder(config: DictConfig) -> Path:
    return Path(config.hydra.runtime.cwd, config.hydra.sweep.dir)
