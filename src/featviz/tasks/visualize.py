"""The main task: the pictures of filters."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from hydra.core.hydra_config import HydraConfig
from lightning import Callback
from lightning.pytorch.loggers import Logger
from omegaconf import DictConfig
from torch import Tensor

from featviz.config.build import build_model
from featviz.config.checks import check_settings
from featviz.config.compose import in_sweep
from featviz.models.model import Model
from featviz.results.folder import RunFolder
from featviz.results.loggers import finish_loggers
from featviz.results.rows import Row
from featviz.runs.batch_size import find_batch_size
from featviz.runs.build import build_method
from featviz.runs.chunks import read_shard
from featviz.runs.devices import check_device, devices_of, make_on
from featviz.runs.exemplar_comparison import exemplar_comparison
from featviz.runs.plan import Plan, check, make_plan
from featviz.runs.process import run_environment
from featviz.runs.progress import RunProgress
from featviz.runs.response_matrix import draw_response_matrices
from featviz.runs.resume import check_same_run, finished
from featviz.runs.worker import _make_missing, hyperparameters, start

AtEnd = Callable[[list[Logger], list[Row]], None]

log = logging.getLogger(__name__)


@dataclass
class Result:
    """``images`` (N, C, H, W) in [0, 1] on the CPU, and one row of ``results.csv`` for each."""

    images: Tensor
    rows: list[Row] = field(default_factory=list)


def run(cfg: DictConfig) -> None:
    """Make the pictures that the configuration asks for, in the run's folder."""
    path = Path(HydraConfig.get().runtime.output_dir)
    folder = RunFolder(path)
    try:
        result = visualize(cfg, folder)
    except KeyboardInterrupt:
        saved = f"the pictures as they were are in {path}" if (path / "results.csv").exists() else "no picture is saved"
        log.warning("interrupted: %s", saved)
        raise
    counts = {status: sum(row["status"] == status for row in result.rows) for status in ("ok", "dead", "nan")}
    log.info("%s: %s", path, ", ".join(f"{count} {status}" for status, count in counts.items() if count))


@run_environment()
def visualize(
    cfg: DictConfig,
    folder: RunFolder | None = None,
    model: Model | None = None,
    at_end: AtEnd | None = None,
    callbacks: Sequence[Callback] = (),
) -> Result:
    """Make the pictures; ``model`` takes the place of ``cfg.model``. Without a folder nothing is written.

    ``at_end`` is called with the loggers and the rows once all files are written, after Ctrl-C too. ``callbacks`` come
    after the configured ones, on a single device.
    """
    check_settings(cfg)
    read_shard(cfg.shard)
    earlier = _earlier(cfg, folder) if cfg.resume and folder else None
    handed, model = model, model or build_model(cfg)
    planned = make_plan(cfg, model, build_method(cfg))
    devices = devices_of(cfg)
    check_device(cfg, devices[0])
    check(cfg, folder, planned)
    natural = exemplar_comparison(cfg, planned)
    cfg = _with_batch_size(cfg, planned, devices[0], earlier)
    if model.weights == "random":
        log.warning("%s: its pictures say nothing about a trained network", model.label)
    if len(devices) > 1 and not folder:
        with TemporaryDirectory() as path:
            return visualize(cfg, RunFolder(path), handed, at_end)
    work = RunProgress(planned, folder, finished(folder) if earlier and folder else [])
    new = work.missing > 0
    loggers = start(cfg, folder, earlier is None) if folder and new else []
    try:
        if len(devices) > 1 and folder:
            make_on(devices, cfg, folder, handed, work.missing)
            work.rows = finished(folder)
        else:
            _make_missing(cfg, work, loggers, callbacks)
        if folder and new:
            draw_response_matrices(planned, folder, work.ordered(), loggers)
    finally:
        rows = work.ordered()
        if folder and rows:
            folder.write_grids()
        if natural:
            rows = natural.beside(rows, folder, loggers)
        if at_end and rows:
            at_end(loggers, rows)
        finish_loggers(loggers, hyperparameters(cfg, planned.method, rows) if rows else {}, rows)
    return Result(work.pictures(), rows)


def _earlier(cfg: DictConfig, folder: RunFolder) -> DictConfig | None:
    """The configuration of the run that goes on; None for a sweep's job that had not begun."""
    if in_sweep() and not (folder.path / "config.yaml").exists():
        return None
    return check_same_run(cfg, folder)


def _with_batch_size(cfg: DictConfig, planned: Plan, device: torch.device, earlier: DictConfig | None) -> DictConfig:
    """The configuration with a number in the place of ``batch_size: auto``: the earlier run's, or a measured one."""
    if cfg.batch_size != "auto":
        return cfg
    cfg = cfg.copy()
    cfg.batch_size = earlier.batch_size if earlier else find_batch_size(planned, device)
    return cfg
