"""A table of the scalars of all steps: ``csv/metrics.csv`` in the run's folder."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lightning.fabric.loggers.csv_logs import _ExperimentWriter
from lightning.pytorch.loggers import CSVLogger
from typing_extensions import override


class CSV(CSVLogger):
    """Lightning's logger, with the lines of a run that goes on kept: Lightning deletes an earlier table.

    Steps that were done again after a kill have two lines, the later one below.
    """

    @property
    @override
    def experiment(self) -> _ExperimentWriter:
        if self._experiment is None:
            table = Path(self.log_dir, _ExperimentWriter.NAME_METRICS_FILE)
            with _aside(table):
                writer = super().experiment
            if table.is_file():
                with table.open(newline="") as file:
                    writer.metrics_keys = next(csv.reader(file), [])
        return super().experiment


@contextmanager
def _aside(table: Path) -> Iterator[None]:
    """Have a table out of its folder for a moment."""
    elsewhere = table.parent.with_name(f".{table.parent.name}_{table.name}")
    if table.is_file():
        table.replace(elsewhere)
    try:
        yield
    finally:
        if elsewhere.is_file():  # also one that a kill has left there
            elsewhere.replace(table)
