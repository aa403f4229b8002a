"""The end of a run: hyperparameters and final numbers go to the loggers, which are closed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite, nan
from statistics import fmean
from typing import cast

from lightning.pytorch.loggers import Logger

from featviz.results.loggers.interface import close, log_hyperparameters
from featviz.results.rows import Row, metrics_of


def finish_loggers(loggers: Sequence[Logger], chosen: Mapping[str, str | int | float], rows: Sequence[Row]) -> None:
    """Send the hyperparameters with the final numbers, where there are pictures, and close the loggers."""
    for logger in loggers:
        if rows:
            log_hyperparameters(logger, chosen, final_numbers(rows), max(row["steps"] for row in rows))
        close(logger)


def final_numbers(rows: Sequence[Row]) -> dict[str, float]:
    """The mean activation and the mean of each metric over the rows that have it: {``hp/<name>``: mean}."""
    numbers = {"hp/activation": mean_activation(rows)}
    for name in metrics_of(rows):
        finite = [value for row in rows if isfinite(value := cast(float, row.get(name, nan)))]
        if finite:
            numbers[f"hp/{name}"] = fmean(finite)
    return numbers


def mean_activation(rows: Sequence[Row]) -> float:
    """The mean over all pictures that have a number; nan where none has."""
    finite = [row["activation"] for row in rows if row["status"] != "nan"]
    return fmean(finite) if finite else float("nan")
