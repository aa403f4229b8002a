"""Single moves of the canvas, against NumPy and SciPy, and how they are drawn."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from pictures import drawn
from refusals import assert_refused
from resampling import DEGREES, FACTORS, FILL, by_scipy, draw_for, pictures, shift, turn, zoom
from scipy.stats import kstest, kurtosis, uniform

from featviz.transforms import (
    Flip,
    Geometric,
    Jitter,
    Pad,
    Rotate,
    RotateBetween,
    Scale,
    ScaleBetween,
    Shift,
    Transforms,
)


@pytest.mark.parametrize("fill", [0.5, 0.0, 0.25])
@pytest.mark.parametrize("pixels", [0, 1, 12])
def test_pad_equals_numpy(pixels: int, fill: float) -> None:
    x = pictures()
    padded = Pad(pixels, fill)(x, torch.empty(3, 0))
    expected = np.pad(x, ((0, 0), (0, 0), (pixels, pixels), (pixels, pixels)), constant_values=fill)
    np.testing.assert_allclose(padded, expected, atol=1e-5)


@pytest.mark.parametrize("pixels", [0, 1, 3, 4])
@pytest.mark.parametrize("size", [20, 21])
def test_jitter_is_a_crop_at_every_offset(pixels: int, size: int) -> None:
    x = pictures(1, size)
    side = size - pixels
    jitter = Jitter(pixels)
    for right in range(pixels + 1):
        for down in range(pixels + 1):
            draws = torch.tensor([[draw_for(right, pixels + 1), draw_for(down, pixels + 1)]])
            expected = x[:, :, down : down + side, right : right + side]
            torch.testing.assert_close(jitter(x, draws), expected, atol=1e-5, rtol=0)


def test_jitter_draws_each_offset_equally_often_and_reaches_both_ends() -> None:
    draws = torch.linspace(0, 1 - 2**-24, 9001)[:, None].expand(-1, 2)
    offsets, counts = Jitter(8).matrix(draws)[:, 0, 2].unique(return_counts=True)
    assert offsets.tolist() == list(range(-4, 5))
    assert counts.max() - counts.min() <= 1


@pytest.mark.parametrize("index", range(len(FACTORS)))
def test_scale_equals_scipy(index: int) -> None:
    x = pictures(1)
    scaled = Scale(FACTORS)(x, torch.tensor([[draw_for(index, len(FACTORS))]]))
    expected = by_scipy(x[0].numpy(), zoom(FACTORS[index]), 21)
    np.testing.assert_allclose(scaled[0], expected, atol=2e-5)


@pytest.mark.parametrize("index", range(len(DEGREES)))
def test_rotate_equals_scipy(index: int) -> None:
    x = pictures(1)
    rotated = Rotate(DEGREES)(x, torch.tensor([[draw_for(index, len(DEGREES))]]))
    expected = by_scipy(x[0].numpy(), turn(DEGREES[index]), 21)
    np.testing.assert_allclose(rotated[0], expected, atol=2e-5)


@pytest.mark.parametrize("size", [20, 21])
def test_a_quarter_turn_is_counter_clockwise(size: int) -> None:
    x = pictures(1, size)
    rotated = Rotate([90])(x, torch.zeros(1, 1))
    torch.testing.assert_close(rotated, torch.rot90(x, 1, (2, 3)), atol=2e-5, rtol=0)


@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_factors_above_one_enlarge(factor: float) -> None:
    x = torch.full((1, 1, 40, 40), FILL)
    x[..., 12:28, 12:28] = 1
    bright = (Scale([factor])(x, torch.zeros(1, 1)) > 0.75).sum().item()
    assert bright == (16 * factor) ** 2


def test_the_last_and_the_first_choice_are_reached() -> None:
    draws = torch.tensor([[0.0], [1 - 2**-24]])
    for factors in (FACTORS, list(range(1, 27)), [0.7]):
        zooms = 1 / Scale(factors).matrix(draws)[:, 0, 0]
        torch.testing.assert_close(zooms, torch.tensor([factors[0], factors[-1]], dtype=torch.float32))


@pytest.mark.parametrize(("pixels", "times"), [(0, 1), (4, 1), (2, 3)])
def test_shift_moves_the_canvas_as_it_is_by_the_sum_of_its_offsets(pixels: int, times: int) -> None:
    x, step = pictures(1), Shift(pixels, times)
    offsets = torch.randint(-pixels, pixels + 1, (times, 2), generator=torch.Generator().manual_seed(1))
    draws = ((offsets + pixels + 0.5) / (2 * pixels + 1)).view(1, -1)
    right, down = offsets.sum(0).tolist()
    expected = by_scipy(x[0].numpy(), shift(right, down), 21)
    assert step.draws == 2 * times
    np.testing.assert_allclose(step(x, draws)[0], expected, atol=2e-5)


def test_the_sum_of_ten_shifts_is_nearly_normal() -> None:
    draws = torch.rand(20_000, 20, generator=torch.Generator().manual_seed(2))
    offsets = Shift(4, 10).matrix(draws)[:, :, 2].double().numpy()
    expected = math.sqrt(10 * (9**2 - 1) / 12)
    np.testing.assert_allclose(offsets.std(0), expected, rtol=0.02)
    np.testing.assert_allclose(offsets.mean(0), 0, atol=0.2)
    assert abs(kurtosis(offsets[:, 0])) < 0.2
    assert abs(np.corrcoef(offsets.T)[0, 1]) < 0.03


def test_zooms_between_two_factors_are_drawn_evenly() -> None:
    draws = torch.rand(5000, 2, generator=torch.Generator().manual_seed(3))
    for same in (True, False):
        rows = ScaleBetween(0.5, 1.2, same).matrix(draws).double().numpy()
        across, down = 1 / rows[:, 0, 0], 1 / rows[:, 1, 1]
        assert kstest(across, uniform(0.5, 0.7).cdf).pvalue > 0.01
        assert np.array_equal(across, down) == same
        assert kstest(down, uniform(0.5, 0.7).cdf).pvalue > 0.01
        assert (rows[:, [0, 1], [1, 0]] == 0).all()


def test_a_zoom_of_each_axis_equals_scipy() -> None:
    x, draws = pictures(1), torch.tensor([[0.25, 0.75]])
    scaled = ScaleBetween(0.8, 1.6, same=False)(x, draws)
    np.testing.assert_allclose(scaled[0], by_scipy(x[0].numpy(), np.diag([1 / 1.0, 1 / 1.4, 1]), 21), atol=2e-5)


def test_angles_between_two_are_drawn_evenly() -> None:
    draws = torch.rand(5000, 1, generator=torch.Generator().manual_seed(4))
    rows = RotateBetween(-15, 15).matrix(draws).double().numpy()
    assert kstest(np.degrees(np.arcsin(rows[:, 1, 0])), uniform(-15, 30).cdf).pvalue > 0.01
    x = pictures(1)
    turned = RotateBetween(-15, 15)(x, torch.tensor([[0.9]]))
    np.testing.assert_allclose(turned[0], by_scipy(x[0].numpy(), turn(12), 21), atol=2e-5)


def test_amounts_that_are_meant_for_a_size_change_in_proportion() -> None:
    steps = {"pad": Pad(128, 0.0, at=512), "jitter": Jitter(64, at=512), "fixed": Jitter(3)}
    transforms = Transforms(steps)
    assert [transforms.size(size) for size in (512, 128, 100)] == [512 + 256 - 64 - 3, 128 + 64 - 16 - 3, 100 + 50 - 15]
    x, draws = pictures(2, 32), torch.rand(2, 4, generator=torch.Generator().manual_seed(5))
    expected = Transforms({"pad": Pad(8, 0.0), "jitter": Jitter(4), "fixed": Jitter(3)})(x, draws)
    assert torch.equal(transforms(x, draws), expected)
    assert Pad(16, at=64)(x, torch.empty(2, 0)).shape == (2, 2, 48, 48)


@pytest.mark.parametrize("step", [Shift(3, 2), ScaleBetween(0.5, 1.2, same=False), RotateBetween(-15, 15)], ids=str)
def test_a_drawn_amount_does_not_depend_on_the_other_pictures(step: Geometric) -> None:
    x, draws = pictures(3), torch.rand(3, step.draws, generator=torch.Generator().manual_seed(6))
    together = step(x, draws)
    for at in range(3):
        torch.testing.assert_close(step(x[at : at + 1], draws[at : at + 1]), together[at : at + 1])


@pytest.mark.parametrize(
    ("call", "setting", "got", "right"),
    [
        (lambda: Pad(-1), "pad.pixels", -1, "zero or more"),
        (lambda: Jitter(-2), "jitter.pixels", -2, "zero or more"),
        (lambda: Scale([]), "scale.factors", [], "numbers above zero"),
        (lambda: Scale([1.0, 0.0]), "scale.factors", [1.0, 0.0], "numbers above zero"),
        (lambda: Rotate([]), "rotate.degrees", [], "angles such as [-10, 0, 10]"),
        (lambda: Shift(-1), "shift.pixels", -1, "zero or more"),
        (lambda: Shift(4, 0), "shift.times", 0, "1 or more"),
        (lambda: ScaleBetween(0.0, 1.0), "scale.low", 0.0, "a number above zero"),
        (lambda: ScaleBetween(1.2, 0.5), "scale.low", 1.2, ""),
        (lambda: RotateBetween(5, -5), "rotate.low", 5, ""),
        (lambda: Pad(1, at=0), "pad.at", 0, "1 or more"),
        (lambda: Jitter(1, at=-5), "jitter.at", -5, "1 or more"),
        (lambda: Transforms({"jitter": Jitter(8)}).size(8), "jitter.pixels", 8, ""),
        (lambda: Jitter(9)(torch.rand(1, 1, 8, 8), torch.rand(1, 2)), "jitter.pixels", 9, ""),
    ],
)
def test_what_cannot_be_applied_is_refused(call: Callable[..., object], setting: str, got: object, right: str) -> None:
    assert_refused(call, setting, got, right)


def test_flip_mirrors_left_and_right_as_often_as_asked_for() -> None:
    x, d = pictures(1).expand(400, -1, -1, -1), drawn(400, 1)
    flipped = Flip(0.25)(x, d)
    which = d[:, 0] < 0.25
    torch.testing.assert_close(flipped[which], x[which].flip(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(flipped[~which], x[~which], atol=1e-5, rtol=0)
    assert which.float().mean().item() == pytest.approx(0.25, abs=0.06)


@pytest.mark.parametrize(("probability", "share"), [(0.0, 0.0), (1.0, 1.0)])
def test_flip_never_or_always(probability: float, share: float) -> None:
    d = torch.tensor([[0.0], [0.5], [1 - 2**-24]])
    assert (Flip(probability).matrix(d)[:, 0, 0] < 0).float().mean() == share


@pytest.mark.parametrize(
    ("call", "setting", "got", "right"),
    [
        (lambda: Flip(1.1), "flip.probability", 1.1, "a number from 0 to 1"),
    ],
)
def test_flips_that_cannot_be(call: Callable[..., object], setting: str, got: object, right: str) -> None:
    assert_refused(call, setting, got, right)
