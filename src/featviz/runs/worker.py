"""Makes what is missing of a run, in the process that it runs in."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from functools import partial

from lightning import Callback
from lightning.pytorch.loggers import Logger

from featviz.errors import printable
from featviz.models.backbone import Backbone
from featviz.results.folder import RunFolder
from featviz.results.loggers import finish_loggers, log_config
from featviz.results.rows import Row
from featviz.runs.chunk import make_chunk
from featviz.runs.chunks import iterate_chunks
from featviz.runs.compilation import choose_compilation, passes_of
from featviz.runs.progress import RunProgress
from featviz.runs.run import Run
from featviz.shapes import Shape

Settings = Mapping[str, str | int | float]

#: Above ``config.yaml``: what makes it a configuration that Hydra can start from.
CONFIG_HEAD = """\
# Everything that this run was made with. To run it again (the whole path, please):
# python -m featviz --config-path {folder} --config-name config
defaults:
  - hydra: default
  - _self_

"""


def make_missing(progress: RunProgress, loggers: Sequence[Logger], callbacks: Sequence[Callback] = ()) -> None:
    """Make, chunk by chunk, what is missing; each chunk is saved before the next one starts."""
    plan, run = progress.plan, progress.plan.run

    def prepare(backbone: Backbone, chunks: Sequence[Sequence[int]]) -> str:
        layer, context = next(iter(backbone.layers)), run.hardware.forward_context
        passes = passes_of(plan, layer, chunks)
        changed = bool(plan.method.pass_gradients(plan.traced.stride(backbone.layers[layer])))
        compiled = choose_compilation(run.compile, backbone, passes, run.device, context, changed)
        return f"{backbone.describe()}, {compiled}, on {run.hardware.describe()}"

    make = partial(make_chunk, run, folder=progress.folder, loggers=loggers, callbacks=callbacks)
    for result in iterate_chunks(plan, progress.finished, make, prepare):
        progress.add(result)
        if result.interrupted:
            raise KeyboardInterrupt


def start_folder(run: Run, folder: RunFolder, fresh: bool) -> list[Logger]:
    """Write the configuration, unless that of the run which goes on is there, and start the loggers."""
    if fresh:
        write_config(folder, run.config)
    return start_loggers(run.new_loggers(folder.path), run.config)


def write_config(folder: RunFolder, config: str) -> None:
    """Write ``config.yaml``, from which the run can be started once more."""
    folder.write_config(CONFIG_HEAD.format(folder=printable(shlex.quote(str(folder.path.resolve())))) + config)


def start_loggers(loggers: list[Logger], config: str) -> list[Logger]:
    """Send the run's configuration to loggers; return them."""
    for logger in loggers:
        log_config(logger, config)
    return loggers


def finish_folder(run: Run, loggers: Sequence[Logger], rows: Sequence[Row]) -> None:
    """Hand the loggers what was chosen and what came out, and close them."""
    chosen = (run.recipe, run.learning_rate, len(run.method.schedule.stages), run.seed)
    finish_loggers(list(loggers), _varied_first(run.varied, hyperparameters(rows, *chosen)) if rows else {}, list(rows))


def _varied_first(varied: Settings, chosen: Settings) -> Settings:
    """What a sweep varies, and then what else was chosen; the learning rate is not said twice."""
    same = ("lr",) if "optimizer.lr" in varied else ()
    return {**varied, **{name: value for name, value in chosen.items() if name not in same}}


def hyperparameters(rows: Sequence[Row], recipe: str, learning_rate: float | None, sizes: int, seed: int) -> Settings:
    """What was chosen, for the HParams tab."""
    chosen = {
        "model": rows[0]["model"],
        "layer": ",".join(dict.fromkeys(row["layer"] for row in rows)),
        "recipe": recipe,
        "lr": learning_rate,
        "sizes": sizes,
        "steps": max(row["steps"] for row in rows),
        "size": max((row["size"] for row in rows), key=lambda size: Shape.of_text(str(size)).values),
        "seed": seed,
    }
    return {name: value for name, value in chosen.items() if value is not None}
