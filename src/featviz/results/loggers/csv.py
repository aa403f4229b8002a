"""A table of the scalars of all steps: ``csv/metrics.csv`` in the run's folder."""

from __future__ import annotations

import csv
from pathlib import Path

from lightning.fabric.loggers.csv_logs import _ExperimentWriter
from lightning.pytorch.loggers import CSVLogger
from typing_extensions import override

from featviz.results.files import alone, write_table


class CSV(CSVLogger):
    """Lightning's logger, with all lines kept: of a run that goes on, and of other processes that write into the table.

    Steps that were done again after a kill have two lines, the later one below.
    """

    @property
    @override
    def experiment(self) -> _ExperimentWriter:
        if self._experiment is None:
            self._experiment = _Writer(self.log_dir)
        return super().experiment


class _Writer(_ExperimentWriter):
    @override
    def save(self) -> None:
        table = Path(self.metrics_file_path)
        with alone(table.parent):
            self.metrics_keys = _columns(table)  # others may have come since the last time
            super().save()

    @override
    def _rewrite_with_new_header(self, fieldnames: list[str]) -> None:
        table = Path(self.metrics_file_path)
        with table.open(newline="") as file:
            rows = list(csv.DictReader(file))
        write_table(table, fieldnames, rows)

    @override
    def _check_log_dir_exists(self) -> None:
        """Earlier lines stay: Lightning deletes them."""


def _columns(table: Path) -> list[str]:
    if not table.is_file():
        return []
    with table.open(newline="") as file:
        return next(csv.reader(file), [])
