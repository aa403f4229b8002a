"""The pages of runs and sweeps, written at their end: what goes wrong with them never loses anything else."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from featviz.config.build import build
from featviz.errors import one_line

if TYPE_CHECKING:
    from omegaconf import DictConfig

log = logging.getLogger(__name__)

MADE_LATER = "task=report runs=%s writes them"


@contextmanager
def pages_at_end(cfg: DictConfig, folder: Path | None) -> Iterator[None]:
    """Write the pages of the run in a folder, as far as it came, when the block ends: after errors and Ctrl-C too."""
    try:
        yield
    finally:
        if folder:
            write_pages(cfg.get("report"), folder)


def without_pages(cfg: DictConfig) -> DictConfig:
    """The configuration of a run whose folder nobody will see."""
    other = cfg.copy()
    other.report = None
    return other


def write_pages(report: Any, folder: Path) -> None:
    """Write the pages of a run or a sweep into its folder, by the configuration's ``report``; none where that is empty.

    What goes wrong is told in one line.
    """
    from featviz.pages.find import has_runs

    if not report or not has_runs(folder):
        return
    try:
        build(report, "report")(runs=[folder], into=folder)
    except KeyboardInterrupt:
        log.warning("interrupted: no pages; " + MADE_LATER, folder)
        raise
    except Exception as error:  # whatever it is: the run itself is all there
        log.warning("no pages: %s; " + MADE_LATER, one_line(error), folder)
