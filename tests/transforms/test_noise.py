"""Noise and shifts of color, against their distributions."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from pictures import drawn, random_pictures
from refusals import assert_refused
from scipy.stats import kstest, norm, uniform
from torch import Tensor

from featviz.transforms import ColorShift, Noise


def pictures(count: int = 4, size: int = 24, channels: int = 3) -> Tensor:
    return random_pictures(count, size, channels)


def test_noise_is_the_sum_of_normal_and_even_noise() -> None:
    x, d = torch.zeros(8, 3, 64, 64), drawn(8, 2)
    normal, both = Noise(0.08)(x, d).flatten().numpy(), Noise(0.08, 0.04)(x, d)
    assert kstest(normal, norm(0, 0.08).cdf).pvalue > 0.01
    assert both.mean().item() == pytest.approx(0, abs=1e-3)
    assert both.std().item() == pytest.approx(math.sqrt(0.08**2 + 0.04**2 / 3), rel=0.01)
    even = Noise(0.0, 0.04)(x, d).flatten().numpy()
    assert kstest(even, uniform(-0.04, 0.08).cdf).pvalue > 0.01


def test_neighboring_pixels_channels_and_pictures_have_noise_of_their_own() -> None:
    noise = Noise(1.0)(torch.zeros(6, 3, 64, 64), drawn(6, 2))
    for one, other in ((noise[..., 1:], noise[..., :-1]), (noise[:, 1:], noise[:, :-1]), (noise[1:], noise[:-1])):
        assert abs((one * other).mean().item()) < 0.01


@pytest.mark.parametrize(("progress", "std"), [(0.0, 0.5), (0.5, 0.3), (1.0, 0.1)])
def test_noise_fades_linearly(progress: float, std: float) -> None:
    noise = Noise(0.5, end=0.1)(torch.zeros(4, 3, 64, 64), drawn(4, 2), progress)
    assert noise.std().item() == pytest.approx(std, rel=0.02)


def test_noise_that_has_faded_leaves_the_picture_alone() -> None:
    assert torch.equal(Noise(0.5, end=0.0)(pictures(), drawn(4, 2), 1.0), pictures())


def test_the_span_is_the_unit_of_the_numbers() -> None:
    x, d = pictures(), drawn(4, 2)
    torch.testing.assert_close(Noise(0.4, 0.2, span=5.0)(x, d) - x, (Noise(0.4, 0.2)(x, d) - x) / 5)


def test_noise_for_each_channel_is_one_number() -> None:
    noise = Noise(0.5, per_channel=True)(torch.zeros(4000, 3, 4, 4), drawn(4000, 2))
    assert torch.equal(noise, noise[..., :1, :1].expand_as(noise))
    assert kstest(noise[..., 0, 0].flatten().numpy(), norm(0, 0.5).cdf).pvalue > 0.01


def test_a_color_shift_takes_a_mean_away_and_divides_by_a_deviation() -> None:
    d = drawn(3000, 2)
    black, white = (ColorShift(1.0, 0.5)(torch.full((3000, 3, 1, 1), value), d).double() for value in (0.0, 1.0))
    deviation = 1 / (white - black)
    mean = -black * deviation
    assert kstest(mean.flatten().numpy(), uniform(-1, 2).cdf).pvalue > 0.01
    assert kstest(deviation.log().flatten().numpy(), uniform(-0.5, 1).cdf).pvalue > 0.01
    assert abs(np.corrcoef(mean[:, 0].flatten(), mean[:, 1].flatten())[0, 1]) < 0.06
    assert abs(np.corrcoef(mean.flatten(), deviation.flatten())[0, 1]) < 0.06
    x = pictures()
    torch.testing.assert_close(ColorShift(0, 0)(x, drawn(4, 2)), x)


@pytest.mark.parametrize(
    ("call", "setting", "got", "right"),
    [
        (lambda: Noise(-0.1), "noise.std", -0.1, "zero or more"),
        (lambda: Noise(0.1, -0.1), "noise.uniform", -0.1, "zero or more"),
        (lambda: Noise(0.1, end=-1.0), "noise.end", -1.0, "zero or more"),
        (lambda: Noise(0.1, span=0.0), "noise.span", 0.0, "a number above zero"),
        (lambda: Noise(math.nan), "noise.std", math.nan, "zero or more"),
        (lambda: ColorShift(mean=-1), "color_shift.mean", -1, "zero or more"),
        (lambda: ColorShift(std=-1), "color_shift.std", -1, "zero or more"),
    ],
)
def test_noise_that_cannot_be(call: Callable[..., object], setting: str, got: object, right: str) -> None:
    assert_refused(call, setting, got, right)
