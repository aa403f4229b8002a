"""The main task: the pictures of filters."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from hydra.core.hydra_config import HydraConfig
from lightning import Callback
from lightning.pytorch.loggers import Logger
from omegaconf import DictConfig, open_dict
from torch import Tensor

from featviz.config.report import pages_at_end, without_pages
from featviz.errors import FeatvizError
from featviz.metrics.robustness import mean_robust_activation
from featviz.models.model import Model
from featviz.optim.shown import display_of
from featviz.results.completion import begin, damaged, write_checksums
from featviz.results.folder import RunFolder
from featviz.results.result import Result
from featviz.results.rows import Row
from featviz.results.units import Units
from featviz.runs.batch_size import find_batch_size
from featviz.runs.build import build_run, with_settings
from featviz.runs.exemplar_comparison import ExemplarComparison, exemplar_comparison
from featviz.runs.inputs import Inputs, check_inputs, inputs_of, write_inputs
from featviz.runs.manifest import Manifest
from featviz.runs.network_table import write_network
from featviz.runs.plan import Plan, check_plan, make_plan
from featviz.runs.process import run_environment
from featviz.runs.processes import make_in_processes
from featviz.runs.progress import RunProgress
from featviz.runs.relations import has_relations, units_of_plan, write_relations
from featviz.runs.response_matrix import compare_pictures
from featviz.runs.resume import drop_checkpoints, finished_rows
from featviz.runs.run import Run
from featviz.runs.same_settings import Config, check_same_run, plain, value_at
from featviz.runs.worker import finish_folder, make_missing, start_folder

AtEnd = Callable[[list[Logger], list[Row]], None]

log = logging.getLogger(__name__)


def run(cfg: DictConfig) -> float:
    """Make the pictures that the configuration asks for, in the run's folder.

    Returns the mean of their activations under perturbations: the number that a sweeper of Hydra's, such as
    ``hydra/sweeper=optuna``, goes by.
    """
    path = Path(HydraConfig.get().runtime.output_dir)
    try:
        result = visualize(cfg, RunFolder(path))
    except KeyboardInterrupt:
        saved = f"the pictures as they were are in {path}" if (path / "results.csv").exists() else "no picture is saved"
        log.warning("interrupted: %s", saved)
        raise
    counts = {status: sum(row["status"] == status for row in result.rows) for status in ("ok", "dead", "nan")}
    log.info("%s: %s", path, ", ".join(f"{count} {status}" for status, count in counts.items() if count))
    return mean_robust_activation(result.rows)


@run_environment()
def visualize(
    cfg: DictConfig,
    folder: RunFolder | None = None,
    model: Model | None = None,
    at_end: AtEnd | None = None,
    callbacks: Sequence[Callback] = (),
    own_files: Sequence[str] = (),
) -> Result:
    """Make the pictures; ``model`` takes the place of ``cfg.model``. Without a folder nothing is written.

    ``at_end`` is called with the loggers and the rows once all files are written, after Ctrl-C too. ``callbacks`` come
    after the configured ones, on a single device. ``own_files`` are settings that name files which the caller has
    written into the folder: of a run that goes on these may lie elsewhere by now, with the same contents.
    """
    earlier = _earlier(cfg, folder, own_files) if folder else None
    built = build_run(cfg, model)
    if len(built.hardware.devices) > 1 and not folder:
        with TemporaryDirectory() as path:
            return visualize(without_pages(cfg), RunFolder(path), model, at_end)
    plan = make_plan(built)
    check_plan(plan, folder)
    inputs = inputs_of(plain(cfg), built.model) if folder else {}
    if folder and earlier:
        check_inputs(folder.path, inputs)
    comparison = exemplar_comparison(plan)
    plan = _with_batch_size(plan, earlier)
    if built.model.weights == "random":
        log.warning("%s: its pictures say nothing about a trained network", built.model.label)
    broken = damaged(folder.path) if folder and earlier else None
    progress = RunProgress(plan, folder, finished_rows(folder, broken or ()) if folder and earlier else [])
    new = progress.missing > 0 or broken != set()
    loggers = _start(plan, folder, earlier is None, inputs, broken or ()) if folder and new else []
    with pages_at_end(cfg, folder.path if folder else None):
        try:
            _make(progress, model, loggers, callbacks)
            if new:
                compare_pictures(progress, loggers)
        finally:
            rows = _finish(progress, comparison, loggers, at_end)
        if folder:
            if not built.keep_checkpoints:
                drop_checkpoints(folder)
            if built.relations and (new or not has_relations(folder.path)):
                write_relations(folder.path, units_of_plan(plan, rows))
            write_checksums(folder.path)
    return _result(progress.pictures(), rows, built)


def _result(pictures: Tensor, rows: list[Row], run: Run) -> Result:
    units = Units(run.model.mean, run.model.std)
    values = units.values(pictures) if pictures.ndim > 2 else None
    saved = units if run.method.raw or not run.model.has_colors else None
    return Result(pictures, rows, values, display_of(run.model), saved)


def _start(plan: Plan, folder: RunFolder, fresh: bool, inputs: Inputs, broken: Iterable[str]) -> list[Logger]:
    """Write what the run is made of, what it owes and its configuration; start the loggers."""
    begin(folder.path, broken)
    write_inputs(folder.path, inputs)
    Manifest.of(plan).write(folder)
    if plan.run.relations:  # now, so that pages of a run that is ended have all layers
        write_network(folder.path, plan.model, plan.traced, [layer.name for layer in plan.layers])
    return start_folder(plan.run, folder, fresh)


def _earlier(cfg: DictConfig, folder: RunFolder, own_files: Sequence[str]) -> Config | None:
    """The configuration of the run that goes on; None where it had not begun.

    The folder of another run is refused. That of the same run is gone on with, ``resume`` or not: a job that was put
    back into a queue is started by the same command.
    """
    begun = (folder.path / "config.yaml").exists()
    if not begun and (HydraConfig.initialized() or not cfg.resume):  # of the command line, new_folder.py has asked
        return None
    earlier = check_same_run(cfg, folder.path, without=own_files)
    with open_dict(cfg):
        cfg.resume = str(folder.path)
    return earlier


def _with_batch_size(plan: Plan, earlier: Config | None) -> Plan:
    """The plan with a number where memory decides on the batch size: the earlier run's, or a measured one."""
    if plan.run.batch_size is not None:
        return plan
    size = value_at(earlier, "batch_size", int, "resume") if earlier else find_batch_size(plan, plan.run.device)
    if size < plan.run.variants:
        raise FeatvizError(f"resume: batch_size was {size}", setting="batch_size", got=size, expected="1 or more")
    run: Run = replace(plan.run, batch_size=size, config=with_settings(plan.run.config, {"batch_size": size}))
    return replace(plan, run=run)


def _make(progress: RunProgress, model: Model | None, loggers: Sequence[Logger], callbacks: Sequence[Callback]) -> None:
    """Make what is missing: here, or in a process for each device."""
    run, folder = progress.plan.run, progress.folder
    if len(run.hardware.devices) == 1 or not folder:
        make_missing(progress, loggers, callbacks)
        return
    make_in_processes(run, folder, model, progress.missing)
    progress.rows = finished_rows(folder)


def _finish(
    progress: RunProgress, comparison: ExemplarComparison | None, loggers: list[Logger], at_end: AtEnd | None
) -> list[Row]:
    """Write what is about all pictures, as many as there are; return their rows."""
    rows, folder = progress.ordered(), progress.folder
    if folder and rows:
        folder.write_grids()
    if comparison:
        rows = comparison.add_to(rows, folder, loggers)
    if at_end and rows:
        at_end(loggers, rows)
    finish_folder(progress.plan.run, loggers, rows)
    return rows
