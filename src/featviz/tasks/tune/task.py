"""The task that searches settings."""

from __future__ import annotations

import logging
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

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
    is_finished(cfg, path)  # or goes on; a folder of another search is refused
    try:
        tune(cfg, path)
    except KeyboardInterrupt:
        log.warning("interrupted: go on with resume=%s", path)
        raise
