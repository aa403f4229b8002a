"""Objectives of filters refuse what they cannot score."""

import pytest
import torch

from featviz.errors import FeatvizError
from featviz.objectives import (
    Negative,
)


def test_a_number_too_many_is_refused() -> None:
    with pytest.raises(FeatvizError, match="an objective of 2 filters cannot score 3 pictures"):
        Negative("late", [1, 2])({"late": torch.zeros(3, 4, 2, 2)})
