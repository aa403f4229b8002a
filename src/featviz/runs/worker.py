"""Makes what is missing of a run, in the process that it runs in."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from lightning import Callback, Trainer
from lightning.pytorch.loggers import Logger
from omegaconf import DictConfig, OmegaConf

from featviz.config.build import build, build_model
from featviz.models.backbone import Backbone
from featviz.models.model import Model
from featviz.optim.method import Method
from featviz.results.folder import RunFolder
from featviz.results.loggers import finish_loggers
from featviz.results.rows import Row
from featviz.runs.build import build_method, start_loggers
from featviz.runs.chunk import Chunk, ChunkResult, make
from featviz.runs.chunks import iterate_chunks
from featviz.runs.compilation import choose_compilation, passes_of
from featviz.runs.devices import describe_device
from featviz.runs.plan import make_plan
from featviz.runs.process import run_environment
from featviz.runs.progress import RunProgress
from featviz.runs.resume import finished

#: Above ``config.yaml``: what makes it a configuration that Hydra can start from.
CONFIG_HEAD = """\
# Everything that this run was made with. To run it again (the whole path, please):
# python -m featviz --config-path {folder} --config-name config
defaults:
  - hydra: default
  - _self_

"""


def make_part(cfg: DictConfig, folder: RunFolder, model: Model | None) -> None:
    """What one of several processes does: make its shard of what is missing in the folder."""
    with run_environment():
        planned = make_plan(cfg, model or build_model(cfg), build_method(cfg))
        loggers = start_loggers(cfg, folder, "")
        try:
            _make_missing(cfg, RunProgress(planned, folder, finished(folder)), loggers)
        finally:
            finish_loggers(loggers, {}, [])


def _make_missing(
    cfg: DictConfig, work: RunProgress, loggers: list[Logger], callbacks: Sequence[Callback] = ()
) -> None:
    """Make, chunk by chunk, what is missing; each chunk is saved before the next one starts."""
    method = work.planned.method
    trainer: Trainer = build(cfg.trainer, "trainer", logger=False, enable_checkpointing=False)
    device = trainer.strategy.root_device

    def settled(backbone: Backbone, chunks: Sequence[Sequence[int]]) -> str:
        passes = passes_of(work.planned, chunks)
        compiled = choose_compilation(cfg.compile, backbone, passes, device, trainer.precision_plugin.forward_context)
        return f"{backbone.describe()}, {compiled}, on {describe_device(cfg, device)}"

    def of(chunk: Chunk) -> ChunkResult:
        return make(cfg, method, chunk, work.folder, loggers, callbacks)

    for made in iterate_chunks(cfg, work.planned, work.done, of, settled):
        work.add(made)
        if made.interrupted:
            raise KeyboardInterrupt


def start(cfg: DictConfig, folder: RunFolder, fresh: bool) -> list[Logger]:
    """Write the configuration, unless that of the run which goes on is there, and start the loggers."""
    text = OmegaConf.to_yaml(cfg, resolve=True)
    if fresh:
        folder.write_config(CONFIG_HEAD.format(folder=shlex.quote(str(folder.path.resolve()))) + text)
    return start_loggers(cfg, folder, text)


def hyperparameters(cfg: DictConfig, method: Method, rows: list[Row]) -> dict[str, str | int | float]:
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
