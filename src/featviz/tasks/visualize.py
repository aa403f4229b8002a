"""The main task: the pictures of filters."""

from __future__ import annotations

import logging
import shlex
import signal
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean

import torch
from hydra.core.hydra_config import HydraConfig
from lightning import Callback, Trainer
from lightning.pytorch.loggers import Logger, TensorBoardLogger
from omegaconf import DictConfig, ListConfig, OmegaConf
from torch import Tensor

from featviz.backbone import Backbone
from featviz.callbacks.guards import FiniteGuard
from featviz.callbacks.upscaling import Projections, Upscaling
from featviz.config import build, build_method, build_model, check_settings
from featviz.errors import FeatvizError
from featviz.layers import parse_filters, trace
from featviz.models.model import Model
from featviz.results import Row, RunFolder, quantise
from featviz.visualizer import FilterVisualizer, Method

log = logging.getLogger(__name__)

#: Above ``config.yaml``: what makes it a configuration that Hydra can start from.
CONFIG_HEAD = """\
# Everything that this run was made with. To run it again (the whole path, please):
# python -m featviz --config-path {folder} --config-name config
defaults:
  - hydra: default
  - _self_

"""


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Keep Lightning's chatter off the screen, and leave the process afterwards as it was.

    Lightning tells what hardware there is each time, and warns of what is so on purpose (a backbone in eval mode, few
    steps) and of its own use of torch. Numbers next to zero (averages of filters that do not answer) slow a CPU down
    many times over: they are flushed to zero.
    """
    loggers = [logging.getLogger(f"lightning.{part}") for part in ("pytorch", "fabric")]
    levels = [logger.level for logger in loggers]
    flushing = not (torch.tensor(1e-40) * 1).item()
    try:
        for logger in loggers:
            logger.setLevel(logging.WARNING)
        torch.set_flush_denormal(True)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Found .* in eval mode at the start of training")
            warnings.filterwarnings("ignore", message="The number of training batches .* is smaller than the logging")
            warnings.filterwarnings("ignore", message=".*treespec, LeafSpec.* is deprecated")
            yield
    finally:
        torch.set_flush_denormal(flushing)
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


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


@_undisturbed()
def visualize(cfg: DictConfig, folder: RunFolder | None = None, model: Model | None = None) -> Result:
    """Make the pictures; ``model`` takes the place of ``cfg.model``. Without a folder nothing is written."""
    check_settings(cfg)
    model = model or build_model(cfg)
    method = build_method(cfg)
    plan = _plan(cfg, model, method)
    _check(cfg, folder, plan, method)
    if model.weights == "random":
        log.warning("%s: its pictures say nothing about a trained network", model.label)
    loggers = _start_loggers(cfg, folder)
    images, rows = [], []
    try:
        for backbone, layer, filters in _chunks(plan, cfg.batch_size):
            visualizer = FilterVisualizer(backbone, method, layer, filters, cfg.seed)
            interrupted, seconds, start = _optimise(cfg, visualizer, folder, loggers)
            pictures = quantise(visualizer.pictures())
            chunk = _rows(cfg, visualizer, pictures, start, seconds)
            rows += folder.save_chunk(pictures, chunk) if folder else chunk
            images.append(pictures)
            if interrupted:
                raise KeyboardInterrupt
    finally:
        if folder and rows:
            folder.write_grids()
        _finish_loggers(cfg, method, loggers, rows)
    return Result(torch.cat(images), rows)


def _plan(cfg: DictConfig, model: Model, method: Method) -> list[tuple[Backbone, str, list[int]]]:
    """The layers and their filters; refuses what does not exist before any work is done."""
    names = list(cfg.layer) if isinstance(cfg.layer, ListConfig) else [str(cfg.layer)]
    if not names:
        raise FeatvizError("layer is empty; expected a layer's name (task=layers lists them)")
    traced = trace(model)
    spec = OmegaConf.to_object(cfg.filters) if isinstance(cfg.filters, ListConfig) else cfg.filters
    plan = []
    for name in dict.fromkeys(names):
        backbone = Backbone(model, [name], traced)
        backbone.check_size(method.transforms.size(min(stage.size for stage in method.schedule.stages)))
        layer = backbone.layers[name]
        plan.append((backbone, name, parse_filters(spec, layer.name, layer.channels or 0, cfg.seed)))  # type: ignore[arg-type]
        backbone.close()
    if not traced.accepts_other_sizes:
        log.info("%s takes %d px only: pictures are resampled to it before the network", model.name, model.size)
    return plan


def _check(
    cfg: DictConfig, folder: RunFolder | None, plan: list[tuple[Backbone, str, list[int]]], method: Method
) -> None:
    """Build once what is built for every chunk, so that what cannot be built is refused before any work."""
    backbone, layer, filters = plan[0]
    FilterVisualizer(backbone, method, layer, filters[:1], cfg.seed).configure_optimizers()
    _callbacks(cfg, folder, "")
    build(cfg.trainer, "trainer", logger=False, enable_checkpointing=False)


def _chunks(plan: list[tuple[Backbone, str, list[int]]], batch_size: int) -> Iterator[tuple[Backbone, str, list[int]]]:
    for planned, layer, filters in plan:
        backbone = Backbone(planned.model, [layer], planned.trace)
        for first in range(0, len(filters), batch_size):
            yield backbone, layer, filters[first : first + batch_size]
        backbone.close()


def _optimise(
    cfg: DictConfig, visualizer: FilterVisualizer, folder: RunFolder | None, loggers: list[Logger]
) -> tuple[bool, float, Tensor]:
    """Run all steps; returns whether Ctrl-C ended them, the seconds, and the start's activations."""
    start = visualizer.activations(quantise(visualizer.pictures()))
    name = f"{visualizer.layer}_{visualizer.filters[0]:04d}"
    callbacks = [Upscaling(), FiniteGuard(), Projections(), *_callbacks(cfg, folder, name)]
    trainer: Trainer = build(
        cfg.trainer, "trainer", logger=loggers or False, callbacks=callbacks, enable_checkpointing=False
    )
    began = time.perf_counter()
    interrupted = _fit(trainer, visualizer)
    return interrupted, time.perf_counter() - began, start.cpu()


def _fit(trainer: Trainer, visualizer: FilterVisualizer) -> bool:
    """Run all steps; True where Ctrl-C has ended them."""
    handler = signal.getsignal(signal.SIGINT)
    try:
        trainer.fit(visualizer, range(visualizer.method.schedule.total_steps))
    except SystemExit:  # Lightning's answer to Ctrl-C, after which it ignores the signal
        if not trainer.interrupted:
            raise
        signal.signal(signal.SIGINT, handler)
        return True
    return False


def _rows(cfg: DictConfig, visualizer: FilterVisualizer, pictures: Tensor, start: Tensor, seconds: float) -> list[Row]:
    model, rows = visualizer.backbone.model, []
    finished, failed = visualizer.activations(pictures).cpu(), visualizer.failed.cpu()
    numbers = zip(visualizer.filters, finished.tolist(), start.tolist(), failed.tolist(), strict=True)
    for number, after, before, nan in numbers:
        status, reason = _status(after, before, nan)
        row = Row(
            model=model.name,
            weights=model.weights,
            layer=visualizer.layer,
            module=visualizer.backbone.layers[visualizer.layer].name,
            filter=number,
            recipe=cfg.recipe.name,
            seed=cfg.seed,
            steps=visualizer.steps_done,
            size=visualizer.image.size,
            activation=after,
            start_activation=before,
            status=status,
            reason=reason,
            seconds=round(seconds / len(pictures), 3),
            image="",
        )
        rows.append(row)
    return rows


def _status(after: float, before: float, nan: bool) -> tuple[str, str]:
    if nan or after != after:
        return "nan", "numbers stopped being finite"
    if after == before == 0:
        return "dead", "the filter never answered: its activation stayed 0"
    if after <= before:
        return "dead", "the activation did not rise above its start"
    return "ok", ""


def _start_loggers(cfg: DictConfig, folder: RunFolder | None) -> list[Logger]:
    if folder is None:
        return []
    text = OmegaConf.to_yaml(cfg, resolve=True)
    folder.write_config(CONFIG_HEAD.format(folder=shlex.quote(str(folder.path.resolve()))) + text)
    loggers = [build(node, f"logger.{name}", save_dir=str(folder.path)) for name, node in (cfg.logger or {}).items()]
    for logger in loggers:
        if isinstance(logger, TensorBoardLogger):
            logger.experiment.add_text("config", "\n".join("    " + line for line in text.splitlines()))
    return loggers


def _finish_loggers(cfg: DictConfig, method: Method, loggers: list[Logger], rows: list[Row]) -> None:
    """Close the loggers; before that, for the HParams tab, what was chosen and the final mean activation."""
    for logger in loggers:
        if isinstance(logger, TensorBoardLogger):
            if rows:
                steps, activation = max(row["steps"] for row in rows), _mean_activation(rows)
                logger.log_hyperparams(_chosen(cfg, method, rows), {"hp/activation": activation}, steps)
            logger.experiment.close()
        logger.finalize("success")


def _mean_activation(rows: list[Row]) -> float:
    finite = [row["activation"] for row in rows if row["status"] != "nan"]
    return fmean(finite) if finite else float("nan")


def _chosen(cfg: DictConfig, method: Method, rows: list[Row]) -> dict[str, str | int | float]:
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


def _callbacks(cfg: DictConfig, folder: RunFolder | None, chunk: str) -> list[Callback]:
    """The configured callbacks; those with a ``dirpath`` write below the run's folder, and are left out without one."""
    callbacks = []
    for name, node in (cfg.callbacks or {}).items():
        if "dirpath" not in node:
            callbacks.append(build(node, f"callbacks.{name}"))
        elif folder:
            callbacks.append(build(node, f"callbacks.{name}", dirpath=str(folder.path / "checkpoints" / chunk)))
    return callbacks
