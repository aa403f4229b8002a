"""Makes the pictures of one chunk: trainer, callbacks, new starts for filters that do not move, rows."""

from __future__ import annotations

import logging
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import cast

from lightning import Callback, Trainer
from lightning.pytorch.loggers import Logger
from omegaconf import DictConfig
from torch import Tensor

from featviz.config.build import build
from featviz.models.backbone import Backbone
from featviz.models.filters import seed_of
from featviz.optim.callbacks import required_callbacks
from featviz.optim.method import Method
from featviz.optim.visualizer import FilterVisualizer
from featviz.results.files import quantize
from featviz.results.folder import RunFolder
from featviz.results.rows import Row
from featviz.runs.build import configured_callbacks
from featviz.runs.resume import SavedImage, checkpoint_of, checkpoint_path

log = logging.getLogger(__name__)

SAME = 1e-6  # scores that differ by less than this share are the same: they are rounded
NOTHING = 1e-6  # what is left of a filter behind GELU or hard-swish far below zero
FLAT = 1 / 255  # a picture whose values deviate less from their mean shows nothing; starts are as flat as that


@dataclass
class Chunk:
    """Pictures that are made at the same time: those of ``filters``, of one layer."""

    backbone: Backbone
    layer: str
    filters: list[int]


@dataclass
class ChunkResult:
    """Pictures (N, C, H, W) in [0, 1] with their opacities (N, 1, H, W), where asked for, and rows."""

    pictures: Tensor
    opacity: Tensor | None
    rows: list[Row]
    interrupted: bool = False


def make(
    cfg: DictConfig,
    method: Method,
    chunk: Chunk,
    folder: RunFolder | None,
    loggers: list[Logger],
    callbacks: Sequence[Callback] = (),
) -> ChunkResult:
    """Make the pictures of a chunk; those that do not move are started again, at most ``cfg.restarts`` times.

    New starts are from other noise, and let gradients through closed rectifiers for longer.
    Ctrl-C ends the making, in a new start too, and keeps the pictures as they are.
    """
    made = _attempt(cfg, method, chunk, folder, loggers, callbacks=callbacks)
    distinct = len(set(chunk.filters)) == len(chunk.filters)  # a filter's variants belong together
    for attempt in range(1, cfg.restarts + 1 if distinct else 1):
        dead = [at for at, row in enumerate(made.rows) if row["status"] == "dead"]
        if not dead or made.interrupted:
            break
        again = replace(chunk, filters=[chunk.filters[at] for at in dead])
        log.info("%s: filters %s have not moved; new start %d of %d", chunk.layer, again.filters, attempt, cfg.restarts)
        try:
            other = _attempt(cfg, _patient(method, attempt), again, folder, [], attempt)
        except KeyboardInterrupt:  # between Lightning's steps, where nothing answers to it
            made.interrupted = True
        else:
            _take_over(made, dead, other, attempt)
    return made


def _patient(method: Method, attempt: int) -> Method:
    """The method with rectifiers redirected for longer, four times so at each new start, up to half of all steps.

    A filter that others must first stop inhibiting needs more than lucid's 16 steps: of efficientnet_lite0,
    blocks.1.1.bn2 filter 71. Where a recipe does not redirect, neither do its new starts.
    """
    most = max(method.redirect_steps, method.schedule.total_steps // 2)
    return replace(method, redirect_steps=min(method.redirect_steps * 4**attempt, most))


def _take_over(made: ChunkResult, places: list[int], other: ChunkResult, attempt: int) -> None:
    """Put the pictures of another attempt, where they moved, in the place of those that did not."""
    made.interrupted = other.interrupted
    for at, place in enumerate(places):
        row, new = made.rows[place], other.rows[at]
        seconds = round(row["seconds"] + new["seconds"], 3)
        if new["status"] == "ok":
            made.pictures[place] = other.pictures[at]
            if made.opacity is not None and other.opacity is not None:
                made.opacity[place] = other.opacity[at]
            reason = f"from start {attempt + 1}: it did not move before"
            made.rows[place] = {**new, "seconds": seconds, "reason": reason}
        elif not other.interrupted:
            reason = row["reason"].removesuffix(f", in {attempt} starts")
            made.rows[place] = {**row, "seconds": seconds, "reason": f"{reason}, in {attempt + 1} starts"}


def _attempt(
    cfg: DictConfig,
    method: Method,
    chunk: Chunk,
    folder: RunFolder | None,
    loggers: list[Logger],
    attempt: int = 0,
    callbacks: Sequence[Callback] = (),
) -> ChunkResult:
    seed = seed_of(cfg.seed, "again", attempt) if attempt else cfg.seed
    visualizer = FilterVisualizer(chunk.backbone, method, chunk.layer, chunk.filters, seed)
    name = f"{visualizer.layer}_{visualizer.filters[0]:04d}" + (f"_again_{attempt}" if attempt else "")
    kept = checkpoint_of(checkpoint_path(folder, name), visualizer) if cfg.resume and folder else None
    callbacks = [*required_callbacks(method), *configured_callbacks(cfg, folder, name), *callbacks]
    trainer: Trainer = build(
        cfg.trainer, "trainer", logger=loggers or False, callbacks=callbacks, enable_checkpointing=False
    )
    device = trainer.strategy.root_device
    start = visualizer.to(device).measure(quantize(visualizer.pictures()))
    began = time.perf_counter()
    interrupted = _fit(trainer, visualizer, kept)
    seconds = time.perf_counter() - began
    visualizer.to(device)  # Lightning has taken it off
    pictures = quantize(visualizer.pictures())
    return ChunkResult(pictures, visualizer.opacity(), _rows(cfg, visualizer, pictures, start, seconds), interrupted)


def _fit(trainer: Trainer, visualizer: FilterVisualizer, kept: SavedImage | None) -> bool:
    """Run all steps, or those after a checkpoint's; True where Ctrl-C has ended them."""
    handler, total = signal.getsignal(signal.SIGINT), visualizer.method.schedule.total_steps
    if kept and kept.steps == total:  # Lightning would run no step, and move nothing
        kept.put_into(visualizer)
        return False
    try:
        trainer.fit(visualizer, range(total), ckpt_path=kept.path if kept else None, weights_only=True)
    except SystemExit:  # Lightning's answer to Ctrl-C, after which it ignores the signal
        if not trainer.interrupted:
            raise
        signal.signal(signal.SIGINT, handler)
        return True
    return False


def _rows(
    cfg: DictConfig, visualizer: FilterVisualizer, pictures: Tensor, start: tuple[Tensor, Tensor], seconds: float
) -> list[Row]:
    model, rows = visualizer.backbone.model, list[Row]()
    end = visualizer.measure(pictures)
    finite = visualizer.image.values.detach().flatten(1).isfinite().all(1).cpu()
    failed = visualizer.failed.cpu() | ~(finite & end[0].isfinite() & end[1].isfinite())
    for at, number in enumerate(visualizer.filters):
        status, reason = "nan", "numbers stopped being finite"
        if not failed[at]:
            changes = [(before[at].item(), after[at].item()) for before, after in zip(start, end, strict=True)]
            status, reason = _status(pictures[at], *changes)
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
            activation=end[1][at].item(),
            start_activation=start[1][at].item(),
            status=status,
            reason=reason,
            seconds=round(seconds / len(pictures), 3),
            image="",
        )
        rows.append(row)
    return _with_evidence(visualizer, pictures, rows)


def _with_evidence(visualizer: FilterVisualizer, pictures: Tensor, rows: list[Row]) -> list[Row]:
    evidence = visualizer.method.evidence
    if not evidence:
        return rows
    found = evidence.of(visualizer.backbone, visualizer.objective, pictures)
    gains = [row["activation"] - row["start_activation"] for row in rows]
    return [cast(Row, {**row, "gain": gain, **more}) for row, gain, more in zip(rows, gains, found, strict=True)]


def _status(picture: Tensor, score: tuple[float, float], activation: tuple[float, float]) -> tuple[str, str]:
    """How a picture (C, H, W) came out, and why; of its score and activation, those of the start and of the end."""
    before, after = score
    if abs(after - before) <= SAME * max(abs(before), abs(after)):
        return "dead", "never active" if after == 0 else f"saturated at {after:.4g}"
    if after < before:
        return "dead", "did not rise above its start"
    if activation[0] < 0 and -NOTHING < activation[1] <= 0:
        return "dead", "never active"
    if picture.std(correction=0) < FLAT and 0.1 < picture.mean() < 0.9:  # white is what some filters like best
        return "dead", "gray"
    return "ok", ""
