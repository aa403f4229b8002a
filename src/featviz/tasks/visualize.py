"""The main task: the pictures of filters."""

from __future__ import annotations

import logging
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from hydra.core.hydra_config import HydraConfig
from lightning import Callback, Trainer
from lightning.pytorch.loggers import Logger
from omegaconf import DictConfig, OmegaConf
from torch import Tensor

from featviz.answers import show_answers
from featviz.backbone import Backbone
from featviz.chunks import in_chunks, read_shard
from featviz.config import build, build_method, build_model, in_sweep
from featviz.config_checks import check_settings
from featviz.devices import check_device, devices_of, in_words, make_on
from featviz.loggers import finish_loggers, start_loggers
from featviz.memory import fitting
from featviz.models.model import Model
from featviz.natural import beside_photos
from featviz.network_compiling import passes_of, settle
from featviz.optimise import Chunk, Made, make
from featviz.plan import Plan, check, plan
from featviz.quiet import undisturbed
from featviz.results import RunFolder
from featviz.resume import check_same_run, finished
from featviz.rows import Row
from featviz.visualizer import Method
from featviz.work import Work

AtEnd = Callable[[list[Logger], list[Row]], None]

log = logging.getLogger(__name__)

#: Above ``config.yaml``: what makes it a configuration that Hydra can start from.
CONFIG_HEAD = """\
# Everything that this run was made with. To run it again (the whole path, please):
# python -m featviz --config-path {folder} --config-name config
defaults:
  - hydra: default
  - _self_

"""


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


@undisturbed()
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
    planned = plan(cfg, model, build_method(cfg))
    devices = devices_of(cfg)
    check_device(cfg, devices[0])
    check(cfg, folder, planned)
    natural = beside_photos(cfg, planned)
    cfg = _with_batch_size(cfg, planned, devices[0], earlier)
    if model.weights == "random":
        log.warning("%s: its pictures say nothing about a trained network", model.label)
    if len(devices) > 1 and not folder:
        with TemporaryDirectory() as path:
            return visualize(cfg, RunFolder(path), handed, at_end)
    work = Work(planned, folder, finished(folder) if earlier and folder else [])
    new = work.missing > 0
    loggers = start(cfg, folder, earlier is None) if folder and new else []
    try:
        if len(devices) > 1 and folder:
            make_on(devices, cfg, folder, handed, work.missing)
            work.rows = finished(folder)
        else:
            _make_missing(cfg, work, loggers, callbacks)
        if folder and new:
            show_answers(planned, folder, work.ordered(), loggers)
    finally:
        rows = work.ordered()
        if folder and rows:
            folder.write_grids()
        if natural:
            rows = natural.beside(rows, folder, loggers)
        if at_end and rows:
            at_end(loggers, rows)
        finish_loggers(loggers, chosen(cfg, planned.method, rows) if rows else {}, rows)
    return Result(work.pictures(), rows)


def _earlier(cfg: DictConfig, folder: RunFolder) -> DictConfig | None:
    """The configuration of the run that goes on; None for a sweep's job that had not begun."""
    if in_sweep() and not (folder.path / "config.yaml").exists():
        return None
    return check_same_run(cfg, folder)


def make_part(cfg: DictConfig, folder: RunFolder, model: Model | None) -> None:
    """What one of several processes does: make its shard of what is missing in the folder."""
    with undisturbed():
        planned = plan(cfg, model or build_model(cfg), build_method(cfg))
        loggers = start_loggers(cfg, folder, "")
        try:
            _make_missing(cfg, Work(planned, folder, finished(folder)), loggers)
        finally:
            finish_loggers(loggers, {}, [])


def _make_missing(cfg: DictConfig, work: Work, loggers: list[Logger], callbacks: Sequence[Callback] = ()) -> None:
    """Make, chunk by chunk, what is missing; each chunk is saved before the next one starts."""
    method = work.planned.method
    trainer: Trainer = build(cfg.trainer, "trainer", logger=False, enable_checkpointing=False)
    device = trainer.strategy.root_device

    def settled(backbone: Backbone, chunks: Sequence[Sequence[int]]) -> str:
        passes = passes_of(work.planned, chunks)
        compiled = settle(cfg.compile, backbone, passes, device, trainer.precision_plugin.forward_context)
        return f"{backbone.in_words()}, {compiled}, on {in_words(cfg, device)}"

    def of(chunk: Chunk) -> Made:
        return make(cfg, method, chunk, work.folder, loggers, callbacks)

    for made in in_chunks(cfg, work.planned, work.done, of, settled):
        work.add(made)
        if made.interrupted:
            raise KeyboardInterrupt


def _with_batch_size(cfg: DictConfig, planned: Plan, device: torch.device, earlier: DictConfig | None) -> DictConfig:
    """The configuration with a number in the place of ``batch_size: auto``: the earlier run's, or a measured one."""
    if cfg.batch_size != "auto":
        return cfg
    cfg = cfg.copy()
    cfg.batch_size = earlier.batch_size if earlier else fitting(planned, device)
    return cfg


def start(cfg: DictConfig, folder: RunFolder, fresh: bool) -> list[Logger]:
    """Write the configuration, unless that of the run which goes on is there, and start the loggers."""
    text = OmegaConf.to_yaml(cfg, resolve=True)
    if fresh:
        folder.write_config(CONFIG_HEAD.format(folder=shlex.quote(str(folder.path.resolve()))) + text)
    return start_loggers(cfg, folder, text)


def chosen(cfg: DictConfig, method: Method, rows: list[Row]) -> dict[str, str | int | float]:
    """For the HParams tab."""
    return {
        "model": rows[0]["model"],
        "layer": ",".join(dict.fromkeys(row["layer"] for row in rows)),
        "recipe": cfg.recipe.name,
        "lr": cfg.optimizer.get("lr"),
        "sizes": len(method.schedule.stages),
        "steps": max(row["steps"] for row in rows),
        "size": max(row["size"] for row in rows),
        "seed": cfg.seed,
    }
