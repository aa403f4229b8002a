"""Rolls, against NumPy."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from pictures import random_pictures
from refusals import assert_refused
from torch import Tensor

from featviz.transforms import Roll


def pictures(count: int = 4, size: int = 24, channels: int = 3) -> Tensor:
    return random_pictures(count, size, channels)


@pytest.mark.parametrize("pixels", [0, 1, 3, 40])
def test_roll_is_numpys_by_up_to_as_many_pixels_each_way(pixels: int) -> None:
    x, count = pictures(1, 10), 2 * pixels + 1
    for right, down in ((0, count - 1), (count // 2, 0), (count - 1, count - 1)):
        d = (torch.tensor([[right, down]]) + 0.5) / count
        expected = np.roll(x.numpy(), (down - pixels, right - pixels), (2, 3))
        np.testing.assert_array_equal(Roll(pixels)(x, d), expected)


def test_roll_reaches_each_offset_equally_often() -> None:
    ramp = torch.arange(9.0).expand(1, 9, 9)
    d = torch.linspace(0, 1 - 2**-24, 900)[:, None].expand(-1, 2)
    first = Roll(4)(ramp.expand(900, -1, -1, -1), d)[:, 0, 0, 0]
    assert first.unique(return_counts=True)[1].tolist() == [100] * 9


@pytest.mark.parametrize(
    ("call", "setting", "got", "right"),
    [
        (lambda: Roll(-1), "roll.pixels", -1, "zero or more"),
    ],
)
def test_rolls_that_cannot_be(call: Callable[..., object], setting: str, got: object, right: str) -> None:
    assert_refused(call, setting, got, right)
