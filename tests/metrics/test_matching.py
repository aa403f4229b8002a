"""Which units are which: assignments against SciPy, and what is planted in correlations."""

import numpy as np
import pytest
import torch
from scipy.optimize import linear_sum_assignment

from featviz.metrics.matching import Match, assignment, match_units

NAN = float("nan")


@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (5, 3), (40, 40), (30, 70), (0, 4), (4, 0)])
@pytest.mark.parametrize("seed", [0, 1])
def test_the_best_assignment(shape: tuple[int, int], seed: int) -> None:
    scores = np.random.default_rng(seed).normal(size=shape)
    rows, columns = linear_sum_assignment(scores, maximize=True)
    assert list(assignment(scores)) == list(zip(rows.tolist(), columns.tolist(), strict=True))


def test_equal_scores() -> None:
    pairs = list(assignment(np.zeros((3, 3))))
    assert sorted(column for _, column in pairs) == [0, 1, 2]


def matched(table: list[list[float]]) -> list[tuple[int, int, str]]:
    return [(m.unit, m.partner, m.status) for m in match_units(torch.tensor(table), same=0.9, alike=0.5)]


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ([[1.0, 0.1], [0.2, 0.95]], [(0, 0, "same"), (1, 1, "same")]),
        ([[0.1, 0.99], [0.98, 0.1]], [(0, 1, "same"), (1, 0, "same")]),
        ([[0.7, 0.1], [0.2, 0.95]], [(0, 0, "moved"), (1, 1, "same")]),
        ([[0.3, 0.1], [0.2, 0.95]], [(0, 0, "gone"), (1, 1, "same"), (0, 0, "new")]),
        ([[0.95, 0.8]], [(0, 0, "same"), (0, 1, "split")]),
        ([[0.95], [0.8]], [(0, 0, "same"), (1, 0, "merged")]),
        ([[0.95, NAN], [0.1, NAN]], [(0, 0, "same"), (1, 0, "gone"), (-1, 1, "silent")]),
        ([[NAN, NAN], [0.1, 0.95]], [(0, -1, "silent"), (1, 1, "same"), (1, 0, "new")]),
        # 1 - 1 is the same unit; .6 + .7 of two poor pairs are no reason to part it
        ([[0.1, 0.7], [0.6, 0.999]], [(0, 1, "gone"), (1, 1, "same"), (1, 0, "new")]),
        ([[0.7, 0.75]], [(0, 1, "moved"), (0, 0, "split")]),
        ([[-0.9, 0.2], [0.2, -0.9]], [(0, 1, "gone"), (1, 0, "gone"), (1, 0, "new"), (0, 1, "new")]),
    ],
)
def test_what_becomes_of_units(table: list[list[float]], expected: list[tuple[int, int, str]]) -> None:
    assert matched(table) == expected


def test_a_match_says_how_alike_its_units_are() -> None:
    (match,) = match_units(torch.tensor([[0.75]]), same=0.9, alike=0.5)
    assert match == Match(0, 0, 0.75, "moved")


def test_a_planted_permutation_is_found() -> None:
    order = torch.randperm(60, generator=torch.Generator().manual_seed(0))
    table = torch.rand(60, 60, generator=torch.Generator().manual_seed(1)) * 0.85
    table[torch.arange(60), order] = 0.99
    assert [match.partner for match in match_units(table, same=0.9, alike=0.5)] == order.tolist()
