"""The task that searches settings."""

from __future__ import annotations

import logging
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from featviz.config.build import build_model
from featviz.errors import FeatvizError
from featviz.tasks.same_run import is_finished

log = logging.getLogger(__name__)


def run(cfg: DictConfig) -> None:
    """Search, write what was found into the run's folder, and compare it on filters that the search has not seen."""
    try:
        from featviz.tasks.tune.search import tune
    except ModuleNotFoundError as error:
        raise FeatvizError(f"task=tune needs {error.name}: pip install 'featviz[tune]'") from error
    path = Path(HydraConfig.get().runtime.output_dir)
    model = build_model(cfg)
    is_finished(cfg, path, model)  # or goes on; a folder of another search is refused
    try:
        tune(cfg, path, model)
    except KeyboardInterrupt:
        log.warning("interrupted: go on with resume=%s", path)
        raise
