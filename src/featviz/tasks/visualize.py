"""The main task: the pictures of filters."""

from __future__ import annotations

import logging
import shlex
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from hydra.core.hydra_config import HydraConfig
from lightning.pytorch.loggers import Logger
from omegaconf import DictConfig, ListConfig, OmegaConf
from torch import Tensor

from featviz.backbone import Backbone
from featviz.config import build, build_method, build_model, check_settings
from featviz.errors import FeatvizError
from featviz.loggers import finish_loggers, start_loggers
from featviz.models.model import Model
from featviz.network_layers import Trace, trace
from featviz.objectives import Objective, numbers_of
from featviz.optimise import Chunk, configured_callbacks, make
from featviz.results import Row, RunFolder
from featviz.visualizer import FilterVisualizer, Method

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


@contextmanager
def undisturbed() -> Iterator[None]:
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
        with torch.inference_mode(False), torch.enable_grad(), warnings.catch_warnings():
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


@undisturbed()
def visualize(
    cfg: DictConfig, folder: RunFolder | None = None, model: Model | None = None, at_end: AtEnd | None = None
) -> Result:
    """Make the pictures; ``model`` takes the place of ``cfg.model``. Without a folder nothing is written.

    ``at_end`` is called with the loggers and the rows once all files are written, after Ctrl-C too.
    """
    check_settings(cfg)
    model = model or build_model(cfg)
    method = build_method(cfg)
    plan = _plan(cfg, model, method)
    _check(cfg, folder, plan, method)
    if model.weights == "random":
        log.warning("%s: its pictures say nothing about a trained network", model.label)
    loggers = _start(cfg, folder) if folder else []
    images, rows = [], []
    try:
        for chunk in _chunks(plan, cfg.batch_size):
            made = make(cfg, method, chunk, folder, loggers)
            rows += folder.save_chunk(made.pictures, made.rows, made.opacity) if folder else made.rows
            images.append(made.pictures)
            if made.interrupted:
                raise KeyboardInterrupt
    finally:
        if folder and rows:
            folder.write_grids()
        if at_end and rows:
            at_end(loggers, rows)
        finish_loggers(loggers, _chosen(cfg, method, rows) if rows else {}, rows)
    return Result(torch.cat(images), rows)


def _plan(cfg: DictConfig, model: Model, method: Method) -> list[Chunk]:
    """The layers, each with all its pictures; refuses what does not exist before any work is done."""
    names = list(cfg.layer) if isinstance(cfg.layer, ListConfig) else [str(cfg.layer)]
    if not names:
        raise FeatvizError("layer is empty; expected a layer's name (task=layers lists them)")
    traced = trace(model)
    plan = []
    for name in dict.fromkeys(names):
        numbers = _numbers(cfg, model, method, name, traced)
        objective = method.objective(layer=name, filters=numbers[:1])
        _check_variants(cfg, objective)
        backbone = Backbone(model, list(dict.fromkeys([name, *objective.layers])), traced)
        _check_sizes(backbone, method, objective)
        plan.append(Chunk(backbone, name, [number for number in numbers for _ in range(cfg.variants)]))
        backbone.close()
    if not traced.accepts_other_sizes:
        log.info("%s takes %d px only: pictures are resampled to it before the network", model.name, model.size)
    return plan


def _numbers(cfg: DictConfig, model: Model, method: Method, name: str, traced: Trace) -> list[int]:
    """The numbers of a layer's pictures, as the objective counts them."""
    given = cfg.filters[name] if isinstance(cfg.filters, DictConfig) else cfg.filters  # for each layer its own
    spec: Any = OmegaConf.to_object(given) if isinstance(given, ListConfig) else given
    return numbers_of(method.objective, spec, traced.resolve(name), model, cfg.seed)


def _check_variants(cfg: DictConfig, objective: Objective) -> None:
    if cfg.variants > 1 and not objective.uses_variants:
        raise FeatvizError(
            f"variants is {cfg.variants}, but objective={cfg.objective.name} does not keep a filter's pictures apart; "
            "expected variants=1, or objective=diversity"
        )
    if cfg.variants == 1 and objective.uses_variants:
        log.warning("variants is 1: there is one picture of each filter, and none to keep it apart from")
    if cfg.variants > cfg.batch_size:
        raise FeatvizError(
            f"the {cfg.variants} variants of a filter are made at the same time, but batch_size is {cfg.batch_size}; "
            f"expected batch_size={cfg.variants} or more"
        )


def _check_sizes(backbone: Backbone, method: Method, objective: Objective) -> None:
    """Refuse pictures that are too small for the network, or for what the objective asks of its feature maps."""
    smallest = min(stage.size for stage in method.schedule.stages)
    changed = method.transforms.size(smallest)
    backbone.check_size(changed)
    with torch.inference_mode():
        side = min(smallest, changed)  # finished pictures are measured without transforms
        objective.check(backbone(torch.zeros(1, backbone.model.in_channels, side, side, device=backbone.mean.device)))


def _check(cfg: DictConfig, folder: RunFolder | None, plan: list[Chunk], method: Method) -> None:
    """Build once what is built for every chunk, so that what cannot be built is refused before any work."""
    for chunk in plan:
        backbone = Backbone(chunk.backbone.model, list(chunk.backbone.layers), chunk.backbone.trace)
        FilterVisualizer(backbone, method, chunk.layer, chunk.filters[:1], cfg.seed).configure_optimizers()
        backbone.close()
    configured_callbacks(cfg, folder, "")
    build(cfg.trainer, "trainer", logger=False, enable_checkpointing=False)


def _chunks(plan: list[Chunk], batch_size: int) -> Iterator[Chunk]:
    for planned in plan:
        backbone = Backbone(planned.backbone.model, list(planned.backbone.layers), planned.backbone.trace, fast=True)
        variants = planned.filters.count(planned.filters[0])  # as many of each filter, which belong together
        many = batch_size // variants * variants
        for first in range(0, len(planned.filters), many):
            yield Chunk(backbone, planned.layer, planned.filters[first : first + many])
        backbone.close()


def _start(cfg: DictConfig, folder: RunFolder) -> list[Logger]:
    """Write the configuration, and start the loggers."""
    text = OmegaConf.to_yaml(cfg, resolve=True)
    folder.write_config(CONFIG_HEAD.format(folder=shlex.quote(str(folder.path.resolve()))) + text)
    return start_loggers(cfg, folder, text)


def _chosen(cfg: DictConfig, method: Method, rows: list[Row]) -> dict[str, str | int | float]:
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
