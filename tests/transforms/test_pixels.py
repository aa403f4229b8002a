import math

import numpy as np
import pytest
import torch
from scipy.ndimage import correlate1d
from scipy.stats import kstest, norm, uniform

from featviz.errors import FeatvizError
from featviz.transforms import Blur, ColorShift, Copies, Flip, Noise, NormalCrops, Resize, Roll, Transforms
from featviz.transforms.base import generators, normals

STEPS = {
    "noise": Noise(0.1, 0.05),
    "fading noise": Noise(0.5, end=0.0),
    "channel noise": Noise(0.5, per_channel=True),
    "color shift": ColorShift(),
    "copies": Copies(3),
    "flip": Flip(),
    "blur": Blur(0.5, 2.0),
    "even blur": Blur(1.0, 1.1, kernel=10),
    "roll": Roll(5),
    "resize": Resize(17),
    "crops": NormalCrops(4, 9),
}


def pictures(count: int = 4, size: int = 24, channels: int = 3) -> torch.Tensor:
    return torch.rand(count, channels, size, size, generator=torch.Generator().manual_seed(0))


def drawn(count: int, draws: int, seed: int = 1) -> torch.Tensor:
    return torch.rand(count, draws, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("name", STEPS)
def test_a_picture_gets_the_same_alone_and_beside_others(name: str) -> None:
    step, x = STEPS[name], pictures()
    d = drawn(4, step.draws)
    together = step(x, d, 0.3)
    assert together.shape == (4 * step.copies, 3, step.canvas(24), step.canvas(24))
    for at in range(4):
        alone = step(x[at : at + 1], d[at : at + 1], 0.3)
        torch.testing.assert_close(alone, together[at::4], atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("name", STEPS)
def test_nothing_is_random_but_the_draws(name: str) -> None:
    step, x = STEPS[name], pictures(1).expand(2, -1, -1, -1)
    d = drawn(2, step.draws)
    torch.manual_seed(5)
    one = step(x, d)
    torch.manual_seed(6)
    assert torch.equal(step(x, d), one)
    if step.draws:
        assert not torch.equal(one[0], one[1])


@pytest.mark.parametrize("name", STEPS)
@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_the_kind_of_number_stays(name: str, dtype: torch.dtype) -> None:
    step = STEPS[name]
    x, d = pictures().to(dtype), drawn(4, step.draws)
    changed = step(x, d)
    assert changed.dtype == dtype
    usual = step(x.float(), d)
    torch.testing.assert_close(changed.float(), usual, atol=1e-5 if dtype == torch.float64 else 0.1, rtol=0.05)


@pytest.mark.parametrize("name", STEPS)
def test_gradients_flow(name: str) -> None:
    step = STEPS[name]
    x = pictures(2, 14).double().requires_grad_()
    d = drawn(2, step.draws)
    assert torch.autograd.gradcheck(lambda p: step(p, d, 0.5), x, fast_mode=True)


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("name", STEPS)
def test_any_number_of_channels(name: str, channels: int) -> None:
    step = STEPS[name]
    assert step(pictures(2, 24, channels), drawn(2, step.draws)).shape[1] == channels


# numbers drawn


def test_normals_are_the_inverse_of_the_normal_distribution_and_finite_at_the_ends() -> None:
    d = drawn(1, 50_000)[0]
    np.testing.assert_allclose(normals(d), norm.ppf(d.double().numpy() + 2**-25), atol=1e-5)
    assert kstest(normals(d).numpy(), norm.cdf).pvalue > 0.01
    ends = normals(torch.tensor([0.0, 1 - 2**-24]))
    assert ends.isfinite().all()
    assert ends[0] == -ends[1]


def test_generators_differ_where_either_draw_does() -> None:
    d = torch.tensor([[0.25, 0.5], [0.25, 0.5 + 2**-24], [0.25 + 2**-24, 0.5], [0.25, 0.5]])
    seeds = [generator.initial_seed() for generator in generators(d)]
    assert seeds[0] == seeds[3]
    assert len(set(seeds)) == 3


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


# pixels moved


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
    ("call", "words"),
    [
        (lambda: Noise(-0.1), "noise.std is -0.1; expected zero or more"),
        (lambda: Noise(0.1, -0.1), "noise.uniform is -0.1"),
        (lambda: Noise(0.1, end=-1.0), "noise.end is -1.0"),
        (lambda: Noise(0.1, span=0.0), "noise.span is 0.0; expected a number above zero"),
        (lambda: Noise(math.nan), "noise.std is nan"),
        (lambda: ColorShift(mean=-1), "color_shift.mean is -1"),
        (lambda: ColorShift(std=-1), "color_shift.std is -1"),
        (lambda: Blur(0.0, 1.0), "blur.low is 0.0; expected a number above zero"),
        (lambda: Blur(2.0, 1.0), "blur.low is 2.0, above blur.high, 1.0"),
        (lambda: Blur(1.0, 1.0, 0), "blur.kernel is 0; expected 1 or more"),
        (lambda: Blur(1.0, 6.0)(pictures(), drawn(4, 1)), "a blur of radius 24 px does not fit pictures of 24 px"),
        (lambda: Roll(-1), "roll.pixels is -1"),
        (lambda: Copies(0), "copies.count is 0; expected 1 or more"),
        (lambda: Flip(1.1), "flip.probability is 1.1; expected a number from 0 to 1"),
    ],
)
def test_what_cannot_be_applied_is_refused(call: object, words: str) -> None:
    with pytest.raises(FeatvizError, match=words) as caught:
        call()
    assert "\n" not in str(caught.value)
