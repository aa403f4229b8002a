"""The task that makes pages of runs, which may be finished for long: task=report."""

from __future__ import annotations

import logging

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, ListConfig

from featviz.config.compose import in_sweep
from featviz.errors import FeatvizError
from featviz.pages import write_site

log = logging.getLogger(__name__)


def run(cfg: DictConfig) -> None:
    """Write the pages of ``runs`` into a folder."""
    if in_sweep():
        raise FeatvizError("task=report runs once; expected no -m and no values to sweep over")
    texts = list(cfg.runs) if isinstance(cfg.runs, ListConfig) else [cfg.runs]
    log.info("%s", write_site([str(text) for text in texts], HydraConfig.get().runtime.output_dir, cfg["copy"]))
