"""Blurs, against SciPy."""

from collections.abc import Callable

import numpy as np
import pytest
from pictures import drawn, random_pictures
from refusals import assert_refused
from scipy.ndimage import correlate1d
from scipy.stats import norm
from torch import Tensor

from featviz.transforms import Blur


def pictures(count: int = 4, size: int = 24, channels: int = 3) -> Tensor:
    return random_pictures(count, size, channels)


@pytest.mark.parametrize("kernel", [None, 1, 9, 10])
def test_blur_equals_scipy_with_each_pictures_own_width(kernel: int | None) -> None:
    x, d = pictures(), drawn(4, 1)
    blurred = Blur(0.5, 2.0, kernel)(x, d)
    width = kernel or 2 * 8 + 1
    at = np.arange(width) - (width - 1) / 2
    for picture, sigma, result in zip(x.double().numpy(), 0.5 + 1.5 * d[:, 0].double().numpy(), blurred, strict=True):
        weights = norm.pdf(at / sigma)
        weights /= weights.sum()
        origin = -1 if width % 2 == 0 else 0  # SciPy centers an even kernel on the pixel after its middle
        for axis in (1, 2):
            picture = correlate1d(picture, weights, axis, mode="mirror", origin=origin)
        np.testing.assert_allclose(result, picture, atol=1e-6)


@pytest.mark.parametrize(
    ("call", "setting", "got", "right"),
    [
        (lambda: Blur(0.0, 1.0), "blur.low", 0.0, "a number above zero"),
        (lambda: Blur(2.0, 1.0), "blur.low", 2.0, ""),
        (lambda: Blur(1.0, 1.0, 0), "blur.kernel", 0, "1 or more"),
        (lambda: Blur(1.0, 6.0)(pictures(), drawn(4, 1)), "blur", 24, ""),
    ],
)
def test_blurs_that_cannot_be(call: Callable[..., object], setting: str, got: object, right: str) -> None:
    assert_refused(call, setting, got, right)
