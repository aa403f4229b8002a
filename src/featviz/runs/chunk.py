"""Makes the pictures of one chunk: trainer, callbacks, new starts for filters that do not move, rows."""

from __future__ import annotations

import logging
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from lightning import Callback, Trainer
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.loggers import Logger
from torch import Tensor

from featviz.errors import FeatvizError, one_line
from featviz.filters import seed_of
from featviz.models.backbone import Backbone
from featviz.optim.callbacks import Frames, required_callbacks
from featviz.optim.method import Method
from featviz.optim.visualizer import FilterVisualizer
from featviz.results.display import COLORS, Display
from featviz.results.folder import RunFolder
from featviz.results.rows import Row
from featviz.results.units import Units
from featviz.runs.picture_rows import picture_rows
from featviz.runs.resume import SavedImage, checkpoint_of, checkpoint_path
from featviz.runs.run import Run

log = logging.getLogger(__name__)


@dataclass
class Chunk:
    """Pictures made at the same time: those of ``filters``, of one layer, of which ``together`` see each other."""

    backbone: Backbone
    layer: str
    filters: list[int]
    together: int = 1


@dataclass
class ChunkResult:
    """Pictures (N, C, H, W), or films, with their opacities (N, 1, H, W), where asked for, and rows.

    ``display`` makes images of them, and ``units`` are the network's own, where pictures are saved in these.
    """

    pictures: Tensor
    opacity: Tensor | None
    rows: list[Row]
    interrupted: bool = False
    display: Display = COLORS
    units: Units | None = None


def make_chunk(
    run: Run,
    chunk: Chunk,
    folder: RunFolder | None,
    loggers: Sequence[Logger],
    callbacks: Sequence[Callback] = (),
) -> ChunkResult:
    """Make the pictures of a chunk; those that do not move are started again, at most ``run.restarts`` times.

    New starts are from other noise, and let gradients through closed rectifiers for longer.
    Ctrl-C ends the making, in a new start too, and keeps the pictures as they are.
    """
    result = _attempt(run, chunk, folder, loggers, callbacks=callbacks)
    for attempt in range(1, run.restarts + 1 if chunk.together == 1 else 1):
        dead = [at for at, row in enumerate(result.rows) if row["status"] == "dead"]
        if not dead or result.interrupted:
            break
        again = replace(chunk, filters=[chunk.filters[at] for at in dead])
        log.info("%s: filters %s have not moved; new start %d of %d", chunk.layer, again.filters, attempt, run.restarts)
        try:
            longer = replace(run, method=_with_longer_redirection(_method_of(run, chunk), attempt))
            other = _attempt(longer, again, folder, [], attempt)
        except KeyboardInterrupt:  # between Lightning's steps, where nothing answers to it
            result.interrupted = True
        else:
            _replace_dead(result, dead, other, attempt)
    return result


def _method_of(run: Run, chunk: Chunk) -> Method:
    backbone = chunk.backbone
    return run.method.for_layer(backbone.layers[chunk.layer], backbone.trace.size)


def _with_longer_redirection(method: Method, attempt: int) -> Method:
    """The method with rectifiers redirected for longer, four times so at each new start, up to half of all steps.

    A filter that others must first stop inhibiting needs more than lucid's 16 steps: of efficientnet_lite0,
    blocks.1.1.bn2 filter 71. Where a recipe does not redirect, neither do its new starts.
    """
    most = max(method.redirect_steps, method.schedule.total_steps // 2)
    return replace(method, redirect_steps=min(method.redirect_steps * 4**attempt, most))


def _replace_dead(result: ChunkResult, places: list[int], other: ChunkResult, attempt: int) -> None:
    """Put the pictures of another attempt, where they moved, in the place of those that did not."""
    result.interrupted = other.interrupted
    for at, place in enumerate(places):
        row, new = result.rows[place], other.rows[at]
        seconds = round(row["seconds"] + new["seconds"], 3)
        if new["status"] == "ok":
            result.pictures[place] = other.pictures[at]
            if result.opacity is not None and other.opacity is not None:
                result.opacity[place] = other.opacity[at]
            reason = f"from start {attempt + 1}: it did not move before"
            result.rows[place] = {**new, "seconds": seconds, "reason": reason}
        elif not other.interrupted:
            reason = row["reason"].removesuffix(f", in {attempt} starts")
            result.rows[place] = {**row, "seconds": seconds, "reason": f"{reason}, in {attempt + 1} starts"}


def _attempt(
    run: Run,
    chunk: Chunk,
    folder: RunFolder | None,
    loggers: Sequence[Logger],
    attempt: int = 0,
    callbacks: Sequence[Callback] = (),
) -> ChunkResult:
    seed = seed_of(run.seed, "again", attempt) if attempt else run.seed
    visualizer = FilterVisualizer(chunk.backbone, run.method, chunk.layer, chunk.filters, seed)
    name = f"{visualizer.layer}_{visualizer.filters[0]:04d}" + (f"_again_{attempt}" if attempt else "")
    checkpoint = checkpoint_path(folder, name) if folder else None
    saved = checkpoint_of(checkpoint, visualizer) if run.resume and checkpoint else None
    own = run.new_callbacks(checkpoint.parent if checkpoint else None)
    own += [Frames(folder.path, run.frames)] if folder and run.frames else []
    trainer = run.new_trainer(loggers, [*required_callbacks(run.method, visualizer.objective), *own, *callbacks])
    device = trainer.strategy.root_device
    start = visualizer.to(device).measure(visualizer.finished())
    began = time.perf_counter()
    interrupted = _fit(trainer, visualizer, saved)
    seconds = time.perf_counter() - began
    visualizer.to(device)  # Lightning has taken it off
    pictures = visualizer.finished()
    rows = picture_rows(run, visualizer, pictures, start, seconds)
    return ChunkResult(pictures, visualizer.opacity(), rows, interrupted, visualizer.display, visualizer.units)


def _fit(trainer: Trainer, visualizer: FilterVisualizer, saved: SavedImage | None) -> bool:
    """Run all steps, or those after a checkpoint's; True where Ctrl-C has ended them."""
    handler, total = signal.getsignal(signal.SIGINT), visualizer.method.schedule.total_steps
    if saved and saved.steps == total:  # Lightning would run no step, and move nothing
        saved.put_into(visualizer)
        return False
    try:
        trainer.fit(visualizer, range(total), ckpt_path=saved.path if saved else None, weights_only=True)
    except SystemExit:  # Lightning's answer to Ctrl-C, after which it ignores the signal
        if not trainer.interrupted:
            raise
        signal.signal(signal.SIGINT, handler)
        return True
    except MisconfigurationException as error:  # of callbacks and loggers that do not go together
        raise FeatvizError(f"trainer: {one_line(error)}", setting="trainer") from error
    return False
