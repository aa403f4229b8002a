"""Copies of each picture."""

from collections.abc import Callable

import pytest
import torch
from pictures import drawn, random_pictures
from refusals import assert_refused
from torch import Tensor

from featviz.transforms import Copies, Noise, Transforms


def pictures(count: int = 4, size: int = 24, channels: int = 3) -> Tensor:
    return random_pictures(count, size, channels)


def test_copies_come_one_set_after_another() -> None:
    x = pictures(2)
    assert torch.equal(Copies(3)(x, torch.empty(2, 0)), torch.cat([x, x, x]))


def test_each_copy_has_transforms_of_its_own() -> None:
    x = pictures(2)
    transforms = Transforms({"copies": Copies(3), "noise": Noise(0.1)})
    changed = transforms(x, drawn(2, transforms.draws))
    assert (transforms.copies, transforms.draws) == (3, 6)
    noise = changed - x.repeat(3, 1, 1, 1)
    assert len({round(one.sum().item(), 4) for one in noise}) == 6


@pytest.mark.parametrize(
    ("call", "setting", "got", "right"),
    [
        (lambda: Copies(0), "copies.count", 0, "1 or more"),
    ],
)
def test_copies_that_cannot_be(call: Callable[..., object], setting: str, got: object, right: str) -> None:
    assert_refused(call, setting, got, right)
