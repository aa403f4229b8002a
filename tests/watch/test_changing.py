"""Filters that have changed most."""

import pytest
import torch

from featviz.watch.changing import Changing, change

RESPONSES = torch.rand(16, 6, generator=torch.Generator().manual_seed(0))


def test_those_that_have_moved_are_picked() -> None:
    changing, later = Changing(), RESPONSES.clone()
    assert changing.pick("a", RESPONSES, 2) == [0, 1]  # nothing is known yet
    later[:, 4] += 1
    later[:, 2] *= -1
    assert changing.pick("a", later, 2) == [2, 4]
    assert changing.pick("b", later, 3) == [0, 1, 2]
    later = later.clone()
    later[:, 5] = 0
    assert changing.pick("a", later, 1) == [5]


@pytest.mark.parametrize(("factor", "expected"), [(1, 0.0), (-1, 2.0), (0, 2.0), (3, 1.0)])
def test_change_is_relative(factor: float, expected: float) -> None:
    assert change(RESPONSES, factor * RESPONSES).tolist() == pytest.approx([expected] * 6)
    assert change(100 * RESPONSES, 100 * factor * RESPONSES).tolist() == pytest.approx([expected] * 6)


def test_filters_that_never_respond_do_not_change() -> None:
    assert change(torch.zeros(16, 2), torch.zeros(16, 2)).tolist() == [0, 0]
