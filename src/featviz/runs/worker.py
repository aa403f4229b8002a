"""Makes what is missing of a run, in the process that it runs in."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from functools import partial

from lightning import Callback
from lightning.pytorch.loggers import Logger

from featviz.models.backbone import Backbone
from featviz.results.folder import RunFolder
from featviz.results.loggers import finish_loggers, log_config
from featviz.results.rows import Row
from featviz.runs.chunk import make_chunk
from featviz.runs.chunks import iterate_chunks
from featviz.runs.compilation import choose_compilation, passes_of
from featviz.runs.progress import RunProgress
from featviz.runs.run import Run

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
        passes, context = passes_of(plan, chunks), run.hardware.forward_context
        compiled = choose_compilation(run.compile, backbone, passes, run.device, context)
        return f"{backbone.describe()}, {compiled}, on {run.hardware.describe()}"

    make = partial(make_chunk, run, folder=progress.folder, loggers=loggers, callbacks=callbacks)
    for result in iterate_chunks(plan, progress.finished, make, prepare):
        progress.add(result)
        if result.interrupted:
            raise KeyboardInterrupt


def start_folder(run: Run, folder: RunFolder, fresh: bool) -> list[Logger]:
    """Write the configuration, unless that of the run which goes on is there, and start the loggers."""
    if fresh:
        folder.write_config(CONFIG_HEAD.format(folder=shlex.quote(str(folder.path.resolve()))) + run.config)
    loggers = run.new_loggers(folder.path)
    for logger in loggers:
        log_config(logger, run.config)
    return loggers


def finish_folder(run: Run, loggers: Sequence[Logger], rows: Sequence[Row]) -> None:
    """Hand the loggers what was chosen and what came out, and close them."""
    finish_loggers(list(loggers), hyperparameters(run, rows) if rows else {}, list(rows))


def hyperparameters(run: Run, rows: Sequence[Row]) -> dict[str, str | int | float]:
    """What was chosen, for the HParams tab."""
    chosen = {
        "model": rows[0]["model"],
        "layer": ",".join(dict.fromkeys(row["layer"] for row in rows)),
        "recipe": run.recipe,
        "lr": run.learning_rate,
        "sizes": len(run.method.schedule.stages),
        "steps": max(row["steps"] for row in rows),
        "size": max(row["size"] for row in rows),
        "seed": run.seed,
    }
    return {name: value for name, value in chosen.items() if value is not None}
