"""Which units of one network are which of another, by how alike their answers are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from torch import Tensor

SAME, MOVED, SPLIT, MERGED, GONE, NEW, SILENT = "same", "moved", "split", "merged", "gone", "new", "silent"

LARGEST = 1 - 1e-9  # correlation whose z is finite
PART = 0.5  # of the z of two that were matched, which a further part of one of them has at least


@dataclass(frozen=True)
class Match:
    """A unit of the first network and its partner in the other; -1 where there is none.

    Attributes:
        unit: of the first network.
        partner: of the other.
        correlation: of their answers.
        status: ``same`` or ``moved``, of units assigned to each other; ``split``, of a further unit of the other
            network that answers as one of the first does; ``merged``, of a further unit of the first; ``gone`` and
            ``new``, without a partner (the nearest one is named); ``silent``, of a unit that answers to all photos
            alike.
    """

    unit: int
    partner: int
    correlation: float
    status: str


def match_units(correlations: Tensor, same: float, alike: float) -> list[Match]:
    """Match the units of two layers, each at most once, so that their correlations are largest together.

    What is summed are Fisher's z of the correlations, which grow without bound towards 1: in a sum of correlations
    themselves several poor pairs would outweigh two units that are the same.

    Args:
        correlations: (units of the first, units of the other); nan with a unit that answers to all photos alike.
        same: from this correlation on two units are the same.
        alike: from this correlation on they may be partners at all.

    Returns:
        One for each unit of the first, in order, then one for each further unit of the other.
    """
    scores = np.nan_to_num(correlations.double().numpy(), nan=-1.0)
    z = np.arctanh(scores.clip(0, LARGEST))
    pairs = [(unit, of) for unit, of in assignment(np.where(scores >= alike, z, 0)) if scores[unit, of] >= alike]
    further = _Further(scores, z, alike, np.array([-1.0] * len(scores)), np.array([-1.0] * scores.shape[1]))
    for unit, partner in pairs:
        further.of_units[unit] = further.of_partners[partner] = z[unit, partner]
    partner_of, silent = dict(pairs), correlations.isnan()
    first = [
        further.unit(unit, bool(silent[unit].all()))
        if unit not in partner_of
        else _matched(unit, partner_of[unit], float(scores[unit, partner_of[unit]]), same)
        for unit in range(len(scores))
    ]
    others = sorted({*range(scores.shape[1])} - {*partner_of.values()})
    return first + [further.partner(partner, bool(silent[:, partner].all())) for partner in others]


def _matched(unit: int, partner: int, score: float, same: float) -> Match:
    return Match(unit, partner, score, SAME if score >= same else MOVED)


@dataclass(frozen=True)
class _Further:
    """Units without a partner: parts of others, or gone, or new.

    ``of_units`` and ``of_partners`` are Fisher's z of each matched unit with its partner, below zero for others.
    """

    scores: np.ndarray
    z: np.ndarray
    alike: float
    of_units: np.ndarray
    of_partners: np.ndarray

    def unit(self, unit: int, silent: bool) -> Match:
        """A unit of the first network."""
        if silent or not self.scores.shape[1]:
            return Match(unit, -1, float("nan"), SILENT if silent else GONE)
        partner = int(self.scores[unit].argmax())
        status = MERGED if self._is_part(unit, partner, self.of_partners[partner]) else GONE
        return Match(unit, partner, float(self.scores[unit, partner]), status)

    def partner(self, partner: int, silent: bool) -> Match:
        """A unit of the other network."""
        if silent or not len(self.scores):
            return Match(-1, partner, float("nan"), SILENT if silent else NEW)
        unit = int(self.scores[:, partner].argmax())
        status = SPLIT if self._is_part(unit, partner, self.of_units[unit]) else NEW
        return Match(unit, partner, float(self.scores[unit, partner]), status)

    def _is_part(self, unit: int, partner: int, matched: float) -> bool:
        """Whether it is about as alike as the two that were matched: one that was kept whole has not been split."""
        return bool(self.scores[unit, partner] >= self.alike and self.z[unit, partner] >= PART * matched)


def assignment(scores: np.ndarray) -> Iterator[tuple[int, int]]:
    """The pairs (row, column), each row and each column in one at most, whose scores have the largest sum.

    Shortest augmenting paths (Jonker and Volgenant 1987), n * n * m steps for n rows of m scores.
    """
    if scores.shape[0] > scores.shape[1]:
        yield from sorted((row, column) for column, row in assignment(scores.T))
        return
    costs = scores.max(initial=0.0) - scores
    rows, columns = costs.shape
    of_column = np.full(columns + 1, -1)  # the row that each column is assigned to; the last column is none
    row_price, column_price = np.zeros(rows), np.zeros(columns + 1)
    for row in range(rows):
        _augment(row, costs, of_column, row_price, column_price)
    yield from sorted((int(row), column) for column, row in enumerate(of_column[:columns]) if row >= 0)


def _augment(
    row: int, costs: np.ndarray, of_column: np.ndarray, row_price: np.ndarray, column_price: np.ndarray
) -> None:
    """Assign one more row, and change the assignments on the cheapest way there."""
    columns = costs.shape[1]
    of_column[columns], column = row, columns
    least, before = np.full(columns, np.inf), np.full(columns, columns)
    used = np.zeros(columns + 1, bool)
    while of_column[column] >= 0:
        used[column] = True
        at = of_column[column]
        reduced = costs[at] - row_price[at] - column_price[:columns]
        better = ~used[:columns] & (reduced < least)
        least[better], before[better] = reduced[better], column
        following = int(np.where(used[:columns], np.inf, least).argmin())
        step = least[following]
        row_price[of_column[used]] += step
        column_price[used] -= step
        least[~used[:columns]] -= step
        column = following
    while column != columns:
        of_column[column] = of_column[before[column]]
        column = int(before[column])
