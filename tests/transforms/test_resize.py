"""Resizing, against torch with antialiasing."""

from collections.abc import Callable

import pytest
import torch
from pictures import random_pictures
from refusals import assert_refused
from torch import Tensor
from torch.nn.functional import interpolate

from featviz.transforms import Resize, Transforms


def pictures(count: int = 2, size: int = 40) -> Tensor:
    return random_pictures(count, size)


@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
@pytest.mark.parametrize("size", [17, 40, 64])
def test_resize_is_torchs_with_antialiasing(size: int, mode: str) -> None:
    x = pictures()
    expected = interpolate(x, (size, size), mode=mode, antialias=True)
    torch.testing.assert_close(Resize(size, mode)(x, torch.empty(2, 0)), expected, atol=1e-5, rtol=0)
    assert Transforms({"resize": Resize(size, mode)}).size(99) == size


@pytest.mark.parametrize(
    ("call", "setting", "got", "right"),
    [
        (lambda: Resize(0), "resize.size", 0, "a number above zero"),
        (lambda: Resize(9, "nearest"), "resize.mode", "nearest", "bilinear or bicubic"),
    ],
)
def test_sizes_that_cannot_be(call: Callable[..., object], setting: str, got: object, right: str) -> None:
    assert_refused(call, setting, got, right)
