"""Makes the pictures of one chunk: trainer, callbacks, new starts for filters that do not move, rows."""

from __future__ import annotations

import signal
import time
from dataclasses import dataclass, replace

from lightning import Callback, Trainer
from lightning.pytorch.loggers import Logger
from omegaconf import DictConfig
from torch import Tensor

from featviz.backbone import Backbone
from featviz.callbacks.changes import Gradients, Projections
from featviz.callbacks.guards import FiniteGuard
from featviz.callbacks.upscaling import Upscaling
from featviz.config import build
from featviz.layers import seed_of
from featviz.results import Row, RunFolder, quantise
from featviz.visualizer import FilterVisualizer, Method


@dataclass
class Chunk:
    """Pictures that are made at the same time: those of ``filters``, of one layer."""

    backbone: Backbone
    layer: str
    filters: list[int]


@dataclass
class Made:
    """Pictures (N, C, H, W) in [0, 1] with their opacities (N, 1, H, W), where asked for, and rows."""

    pictures: Tensor
    opacity: Tensor | None
    rows: list[Row]
    interrupted: bool = False


def make(cfg: DictConfig, method: Method, chunk: Chunk, folder: RunFolder | None, loggers: list[Logger]) -> Made:
    """Make the pictures of a chunk; those that do not move are started again, at most ``cfg.restarts`` times."""
    made = _attempt(cfg, method, chunk, folder, loggers)
    for attempt in range(1, cfg.restarts + 1):
        dead = [at for at, row in enumerate(made.rows) if row["status"] == "dead"]
        if not dead or made.interrupted or len(set(chunk.filters)) < len(chunk.filters):
            break
        again = replace(chunk, filters=[chunk.filters[at] for at in dead])
        other = _attempt(cfg, method, again, folder, [], attempt)
        _take_over(made, dead, other, attempt)
    return made


def _take_over(made: Made, places: list[int], other: Made, attempt: int) -> None:
    """Put the pictures of another attempt, where they moved, in the place of those that did not."""
    made.interrupted = other.interrupted
    for at, place in enumerate(places):
        row = made.rows[place]
        row["seconds"] = round(row["seconds"] + other.rows[at]["seconds"], 3)
        if other.rows[at]["status"] == "ok":
            made.pictures[place] = other.pictures[at]
            if made.opacity is not None and other.opacity is not None:
                made.opacity[place] = other.opacity[at]
            reason = f"from start {attempt + 1}: it did not move before"
            made.rows[place] = {**other.rows[at], "seconds": row["seconds"], "reason": reason}
        else:
            row["reason"] = f"{other.rows[at]['reason']}, in {attempt + 1} starts"


def _attempt(
    cfg: DictConfig, method: Method, chunk: Chunk, folder: RunFolder | None, loggers: list[Logger], attempt: int = 0
) -> Made:
    seed = seed_of(cfg.seed, "again", attempt) if attempt else cfg.seed
    visualizer = FilterVisualizer(chunk.backbone, method, chunk.layer, chunk.filters, seed)
    start = visualizer.measured(quantise(visualizer.pictures()))
    name = f"{visualizer.layer}_{visualizer.filters[0]:04d}" + (f"_again_{attempt}" if attempt else "")
    callbacks = [Upscaling(), FiniteGuard(), Gradients(), Projections(), *configured_callbacks(cfg, folder, name)]
    trainer: Trainer = build(
        cfg.trainer, "trainer", logger=loggers or False, callbacks=callbacks, enable_checkpointing=False
    )
    began = time.perf_counter()
    interrupted = _fit(trainer, visualizer)
    seconds = time.perf_counter() - began
    pictures = quantise(visualizer.pictures())
    return Made(pictures, visualizer.opacity(), _rows(cfg, visualizer, pictures, start, seconds), interrupted)


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


def _rows(
    cfg: DictConfig, visualizer: FilterVisualizer, pictures: Tensor, start: tuple[Tensor, Tensor], seconds: float
) -> list[Row]:
    model, rows = visualizer.backbone.model, []
    scores, activations = visualizer.measured(pictures)
    failed = visualizer.failed.cpu() | ~scores.isfinite() | ~activations.isfinite()
    for at, number in enumerate(visualizer.filters):
        status, reason = _status(scores[at].item(), start[0][at].item(), bool(failed[at]))
        row = Row(
            model=model.name,
            weights=model.weights,
            layer=visualizer.layer,
            module=visualizer.backbone.layers[visualizer.layer].name,
            filter=number,
            variant=visualizer.variants[at],
            objective=cfg.objective.name,
            recipe=cfg.recipe.name,
            seed=cfg.seed,
            steps=visualizer.steps_done,
            size=visualizer.image.size,
            activation=activations[at].item(),
            start_activation=start[1][at].item(),
            status=status,
            reason=reason,
            seconds=round(seconds / len(pictures), 3),
            image="",
        )
        rows.append(row)
    return rows


def _status(after: float, before: float, nan: bool) -> tuple[str, str]:
    if nan:
        return "nan", "numbers stopped being finite"
    if after > before:
        return "ok", ""
    if after == before == 0:
        return "dead", "never active"
    if after == before:
        return "dead", f"saturated at {after:.4g}"
    return "dead", "did not rise above its start"


def configured_callbacks(cfg: DictConfig, folder: RunFolder | None, chunk: str) -> list[Callback]:
    """The configured callbacks; those with a ``dirpath`` write below the run's folder, and are left out without one."""
    callbacks = []
    for name, node in (cfg.callbacks or {}).items():
        if "dirpath" not in node:
            callbacks.append(build(node, f"callbacks.{name}"))
        elif folder:
            callbacks.append(build(node, f"callbacks.{name}", dirpath=str(folder.path / "checkpoints" / chunk)))
    return callbacks
