import math

import numpy as np
import pytest
import torch
from scipy.ndimage import affine_transform
from scipy.stats import kstest, kurtosis, uniform
from torch import Tensor

from featviz.errors import FeatvizError
from featviz.transforms import (
    DrawnTransforms,
    Geometric,
    Jitter,
    Pad,
    Rotate,
    RotateBetween,
    Scale,
    ScaleBetween,
    Shift,
    Transform,
    Transforms,
    resample,
)

FACTORS = [0.9, 1.0, 1.1, 1.5]
DEGREES = [-10, 0, 5, 45, 90, 180]
FILL = 0.5


def pictures(count: int = 3, size: int = 21) -> Tensor:
    return torch.rand(count, 2, size, size, generator=torch.Generator().manual_seed(0))


def draw_for(index: int, choices: int) -> float:
    return (index + 0.5) / choices


def by_scipy(picture: np.ndarray, matrix: np.ndarray, side: int, fill: float = FILL) -> np.ndarray:
    """Bilinear resampling; ``matrix`` (3, 3) takes (x, y, 1) from the new canvas's center to the old one's."""
    swap = np.array([[0, 1, 0], [1, 0, 0], [0, 0, 1]])  # SciPy's axes are (y, x)
    matrix = swap @ matrix @ swap
    old, new = np.subtract(picture.shape[1:], 1) / 2, np.repeat((side - 1) / 2, 2)
    offset = old + matrix[:2, 2] - matrix[:2, :2] @ new
    return np.stack(
        [
            affine_transform(channel, matrix[:2, :2], offset, (side, side), order=1, mode="grid-constant", cval=fill)
            for channel in picture.astype(float)
        ]
    )


def zoom(factor: float) -> np.ndarray:
    return np.diag([1 / factor, 1 / factor, 1])


def turn(degrees: float) -> np.ndarray:
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])


def shift(x: float, y: float) -> np.ndarray:
    return np.array([[1, 0, x], [0, 1, y], [0, 0, 1.0]])


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


def chain() -> Transforms:
    """The recipe olah2017."""
    return Transforms(
        {
            "pad": Pad(12),
            "jitter": Jitter(8),
            "scale": Scale(FACTORS),
            "rotate": Rotate(DEGREES),
            "again": Jitter(4),
        }
    )


def test_a_chain_resamples_once_what_its_composed_matrices_say() -> None:
    x, transforms = pictures(4, 24), chain()
    draws = torch.rand(4, transforms.draws, generator=torch.Generator().manual_seed(3))
    changed = transforms(x, draws)
    assert transforms.draws == 6
    assert changed.shape == (4, 2, 36, 36)
    for picture, d, result in zip(x.numpy(), draws.numpy(), changed, strict=True):
        matrix = (
            shift(int(d[0] * 9) - 4, int(d[1] * 9) - 4)
            @ zoom(FACTORS[int(d[2] * len(FACTORS))])
            @ turn(DEGREES[int(d[3] * len(DEGREES))])
            @ shift(int(d[4] * 5) - 2, int(d[5] * 5) - 2)
        )
        np.testing.assert_allclose(result, by_scipy(picture, matrix, 36), atol=5e-5)


def test_each_picture_has_its_own_draws_and_does_not_depend_on_the_others() -> None:
    x, transforms = pictures(1, 24).expand(3, -1, -1, -1), chain()
    draws = torch.rand(3, transforms.draws, generator=torch.Generator().manual_seed(4))
    together = transforms(x, draws)
    assert not torch.equal(together[0], together[1])
    for at in range(3):
        torch.testing.assert_close(transforms(x[:1], draws[at : at + 1]), together[at : at + 1])


@pytest.mark.parametrize("size", [16, 21, 64])
def test_the_size_is_what_comes_out(size: int) -> None:
    transforms = chain()
    assert transforms(torch.rand(1, 1, size, size), torch.rand(1, 6)).shape[2:] == (transforms.size(size),) * 2
    assert transforms.size(size) == size + 24 - 8 - 4


@pytest.mark.parametrize("fill", [0.0, 0.3])
def test_what_rotation_uncovers_has_the_fill_of_the_pad(fill: float) -> None:
    x = torch.ones(1, 1, 20, 20)
    rotated = Transforms({"pad": Pad(5, fill), "rotate": Rotate([45])})(x, torch.zeros(1, 1))
    torch.testing.assert_close(rotated[0, 0, [0, 0, -1, -1], [0, -1, 0, -1]], torch.full((4,), fill))
    assert rotated[0, 0, 15, 15] == pytest.approx(1)


def test_without_a_pad_the_fill_is_gray() -> None:
    rotated = Rotate([45])(torch.ones(1, 1, 20, 20), torch.zeros(1, 1))
    assert rotated[0, 0, 0, 0].item() == pytest.approx(0.5)


def test_a_pad_after_other_transforms_is_a_border_of_its_own_fill() -> None:
    x = pictures(1, 20)
    steps = {"pad": Pad(2, 0.1), "jitter": Jitter(6), "more": Pad(3, 0.9)}
    changed = Transforms(steps)(x, torch.tensor([[draw_for(0, 7), draw_for(6, 7)]]))
    cropped = np.pad(x, ((0, 0), (0, 0), (2, 2), (2, 2)), constant_values=0.1)[:, :, 6:, :-6]
    expected = np.pad(cropped, ((0, 0), (0, 0), (3, 3), (3, 3)), constant_values=0.9)
    np.testing.assert_allclose(changed, expected, atol=1e-5)
    assert Transforms(steps).size(20) == changed.shape[2]


class Brighten(Transform):
    """Adds what is drawn."""

    draws = 1

    def __call__(self, pictures: Tensor, draws: Tensor, progress: float = 0.0) -> Tensor:
        return pictures + draws[:, :, None, None]


class Square(Transform):
    def __call__(self, pictures: Tensor, draws: Tensor, progress: float = 0.0) -> Tensor:
        assert draws.shape == (len(pictures), 0)
        return pictures**2


def test_other_transforms_stand_between_and_get_their_own_draws() -> None:
    x = pictures(2, 20)
    steps = {"square": Square(), "jitter": Jitter(4), "brighten": Brighten(), "scale": Scale(FACTORS)}
    transforms = Transforms(steps)
    draws = torch.rand(2, 4, generator=torch.Generator().manual_seed(5))
    expected = Scale(FACTORS)(Jitter(4)(x**2, draws[:, :2]) + draws[:, 2, None, None, None], draws[:, 3:])
    assert transforms.draws == 4
    torch.testing.assert_close(transforms(x, draws), expected)
    assert transforms.size(20) == 16


class Twice(Transform):
    """Two copies, one brighter."""

    copies, draws = 2, 1

    def __call__(self, pictures: Tensor, draws: Tensor, progress: float = 0.0) -> Tensor:
        return torch.cat([pictures, pictures + draws[:, :, None, None] + progress])


def test_copies_get_draws_of_their_own() -> None:
    x = pictures(2, 6)
    transforms = Transforms({"first": Twice(), "brighten": Brighten(), "second": Twice()})
    assert (transforms.copies, transforms.draws) == (4, 1 + 2 + 2)
    d = torch.rand(2, 5, generator=torch.Generator().manual_seed(5))
    d_ = d[:, :, None, None, None].transpose(0, 1)
    dull, bright = x + d_[1], x + d_[0] + 0.25 + d_[2]
    expected = torch.cat([dull, bright, dull + d_[3] + 0.25, bright + d_[4] + 0.25])
    torch.testing.assert_close(transforms(x, d, 0.25), expected)


def test_what_is_drawn_for_all_steps_changes_each_step_by_its_own_numbers() -> None:
    transforms = Transforms(
        {"pad": Pad(3, at=16), "jitter": Jitter(4), "twice": Twice(), "turn": RotateBetween(-20, 20)}
    )
    draws = torch.rand(3, 5, transforms.draws, generator=torch.Generator().manual_seed(8))
    drawn = DrawnTransforms(transforms, draws)
    for size, step in ((16, 0), (16, 4), (24, 2), (16, 3)):
        x = pictures(3, size)
        assert torch.equal(drawn(x, step, 0.5), transforms(x, draws[:, step], 0.5))
    assert not torch.equal(drawn(pictures(3, 16), 0), drawn(pictures(3, 16), 1))


@pytest.mark.parametrize("steps", [None, {}])
def test_no_transforms_leave_the_pictures_alone(steps: dict[str, object] | None) -> None:
    x = pictures()
    assert Transforms(steps)(x, torch.empty(3, 0)) is x
    assert Transforms(steps).size(33) == 33


def test_gradients_are_the_transposed_resampling() -> None:
    x = pictures(1, 10).double().requires_grad_()
    transforms = Transforms({"pad": Pad(2), "scale": Scale([1.1]), "rotate": Rotate([7])})
    assert torch.autograd.gradcheck(lambda p: transforms(p, torch.zeros(1, 2)), x, fast_mode=True)


def test_half_precision_pictures_stay_so() -> None:
    changed = chain()(pictures().bfloat16(), torch.rand(3, 6))
    assert changed.dtype == torch.bfloat16


def test_resample_of_one_transform_is_that_transform() -> None:
    x, draws = pictures(), torch.rand(3, 1)
    assert isinstance(Scale(FACTORS), Geometric)
    assert torch.equal(resample([Scale(FACTORS)], x, draws), Scale(FACTORS)(x, draws))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: Pad(-1), "pad.pixels is -1; expected zero or more"),
        (lambda: Jitter(-2), "jitter.pixels is -2"),
        (lambda: Scale([]), r"scale.factors is \[\]; expected numbers above zero"),
        (lambda: Scale([1.0, 0.0]), r"scale.factors is \[1.0, 0.0\]"),
        (lambda: Rotate([]), "rotate.degrees is empty"),
        (lambda: Shift(-1), "shift.pixels is -1; expected zero or more"),
        (lambda: Shift(4, 0), "shift.times is 0; expected 1 or more"),
        (lambda: ScaleBetween(0.0, 1.0), "scale.low is 0.0; expected a number above zero"),
        (lambda: ScaleBetween(1.2, 0.5), "scale.low is 1.2, above scale.high, 0.5"),
        (lambda: RotateBetween(5, -5), "rotate.low is 5, above rotate.high, -5"),
        (lambda: Pad(1, at=0), "pad.at is 0; expected 1 or more"),
        (lambda: Jitter(1, at=-5), "jitter.at is -5"),
        (lambda: Transforms({"jitter": Jitter(8)}).size(8), "a jitter of 8 px leaves nothing of a picture of 8 px"),
        (lambda: Jitter(9)(torch.rand(1, 1, 8, 8), torch.rand(1, 2)), "a jitter of 9 px leaves nothing"),
    ],
)
def test_what_cannot_be_applied_is_refused(call: object, words: str) -> None:
    with pytest.raises(FeatvizError, match=words) as caught:
        call()
    assert "\n" not in str(caught.value)
