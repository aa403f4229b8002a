"""Weights & Biases, offline: a run below the run folder, which ``wandb sync`` may send up later."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from lightning.pytorch.loggers import WandbLogger
from PIL import Image
from typing_extensions import override

from featviz.results.loggers.interface import close, log_config, log_hyperparameters, log_picture, missing_package

STEP = "trainer/global_step"  # Lightning's name of the step


class WeightsAndBiases(WandbLogger):
    """Lightning's logger with a run that stays open over all chunks and writes to ``save_dir/wandb`` alone.

    Args:
        save_dir: the run folder.
        project: the name of the project that the run belongs to.
        offline: write files only; with false, wandb sends the run to the server that you are logged in at.
        **init: other arguments of ``wandb.init``, such as ``name``, ``group`` or ``tags``.

    Raises:
        FeatvizError: wandb is not installed.
    """

    def __init__(self, save_dir: str, project: str = "featviz", offline: bool = True, **init: Any) -> None:
        folder = Path(save_dir).resolve()
        (folder / "wandb").mkdir(parents=True, exist_ok=True)
        _keep_to(folder)
        try:
            import wandb
        except ImportError as error:
            raise missing_package("wandb", "wandb") from error
        settings = wandb.Settings(silent=True, console="off", disable_git=True, disable_code=True, x_disable_stats=True)
        run = wandb.init(
            project=project,
            dir=str(folder),
            mode="offline" if offline else "online",
            reinit="create_new",
            settings=settings,
            **init,
        )
        run.define_metric(STEP)
        run.define_metric("*", step_metric=STEP, step_sync=True)
        super().__init__(save_dir=str(folder), offline=offline, experiment=run)

    @override
    def finalize(self, status: str) -> None:
        pass  # a chunk ends, the run does not


def _keep_to(folder: Path) -> None:
    """Keep wandb's own logs, cache and settings in the run folder, and its error reports at home."""
    for kind in ("CACHE", "CONFIG", "DATA"):
        os.environ.setdefault(f"WANDB_{kind}_DIR", str(folder / "wandb"))
    os.environ.setdefault("WANDB_ERROR_REPORTING", "false")


@log_picture.register
def _(logger: WandbLogger, tag: str, picture: Image.Image, step: int | None = None) -> None:
    logger.log_image(tag, [picture], step)


@log_config.register
def _(logger: WandbLogger, text: str) -> None:
    logger.experiment.config.update({"config": yaml.safe_load(text)})


@log_hyperparameters.register
def _(logger: WandbLogger, chosen: Mapping[str, str | int | float], final: Mapping[str, float], step: int) -> None:
    logger.log_hyperparams(dict(chosen))
    logger.experiment.summary.update({**final, STEP: step})


@close.register
def _(logger: WandbLogger) -> None:
    logger.experiment.finish()
