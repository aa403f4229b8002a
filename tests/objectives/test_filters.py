"""Objectives of filters refuse what they cannot score."""

import torch
from refusals import refusal_of

from featviz.objectives import Negative


def test_a_number_too_many_is_refused() -> None:
    error = refusal_of(lambda: Negative("late", [1, 2])({"late": torch.zeros(3, 4, 2, 2)}))
    assert (error.setting, error.got) == ("filters", 2)
