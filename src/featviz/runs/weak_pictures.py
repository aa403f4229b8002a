"""Filters that another filter's picture excites more than their own: theirs rose, and still did not get far."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

from torch import Tensor

from featviz.results.rows import Row, is_weak, with_weakness

log = logging.getLogger(__name__)

MARGIN = 1.1  # times: filters that look for the same answer about as much to each other's pictures
LEVEL = "level"  # the column of pictures that were driven to a given activation: they are not to have more
LEAST = 1.0  # standard deviations on noise: a difference below it is none

#: The responses (filters,) of all filters of a layer to the picture of one, by its number, in deviations on noise.
Responses = Mapping[int, Tensor]


def with_weak_ones(layer: str, rows: Sequence[Row], responses: Responses, statistic: str | None) -> list[Row]:
    """The rows of a run, where the reason of a layer's weak pictures says whose picture excites the filter more.

    Of pictures that were made for another ``statistic`` than the feature map's mean, or for its opposite, nothing is
    said. What was said of fewer pictures is taken back.
    """
    told = [
        with_weakness(row, _weakness(row, responses) if statistic == "mean" else "") if row["layer"] == layer else row
        for row in rows
    ]
    if weak := [str(row["filter"]) for row in told if row["layer"] == layer and is_weak(row)]:
        more = f" and {len(weak) - 8} more" if len(weak) > 8 else ""
        numbers = f"{', '.join(weak[:8])}{more}"
        log.warning(
            "%s: weak pictures: another filter's picture excites filter %s more than its own (results.csv says which)",
            layer,
            numbers,
        )
    return told


def _weakness(row: Row, responses: Responses) -> str:
    """Whose picture excites a row's filter more than its own; empty where none does, or nothing is known."""
    number = row["filter"]
    if (
        row["status"] != "ok"
        or row["variant"]
        or LEVEL in row
        or number not in responses
        or row["activation"] < row["start_activation"]
    ):
        return ""
    column = {picture: line[number].item() for picture, line in responses.items()}
    own, best = column[number], max(column, key=column.__getitem__)
    if column[best] <= max(MARGIN * own, own + LEAST):
        return ""
    times = f"{column[best] / own:.2g} times as much as its own" if own > 0 else "and its own does not"
    return f"the picture of filter {best} excites it {times}"
