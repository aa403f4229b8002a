import itertools
import math

import cv2
import numpy as np
import pytest
import torch
from pictures import MEAN, STD, generators, lucid_matrix, psnr
from torch import Tensor

from featviz.errors import FeatvizError
from featviz.images.color import bounded, correlation_matrix, mix
from featviz.images.fourier import FourierImage, spectrum_scale
from featviz.images.init import Normal, Uniform
from featviz.images.pixel import BOUNDS, COLORS, EDGE, SPACES, PixelImage

INIT = Uniform(0.2, 0.8)


def of(values: tuple[float, ...], channels: int) -> tuple[float, ...]:
    return (values * 2)[:channels]


def fourier(size: int, *seeds: int, channels: int = 3, **kwargs: object) -> FourierImage:
    return FourierImage(size, generators(*seeds), of(MEAN, channels), of(STD, channels), **kwargs)


def pixel(size: int, *seeds: int, channels: int = 3, **kwargs: object) -> PixelImage:
    init = kwargs.pop("init", INIT)
    return PixelImage(size, generators(*seeds), of(MEAN, channels), of(STD, channels), init, **kwargs)


def unbounded_by_numpy(values: Tensor, size: int, decay: float, decorrelate: bool) -> np.ndarray:
    """What lucid's formula gives before the sigmoid."""
    values = values.detach().double().numpy()
    spectrum = values[..., 0] + 1j * values[..., 1]
    frequency = np.sqrt(np.fft.fftfreq(size)[:, None] ** 2 + np.fft.rfftfreq(size)[None] ** 2)
    spectrum *= 1 / np.maximum(frequency, 1 / size) ** decay
    pictures = np.fft.irfft2(spectrum, s=(size, size), norm="ortho") / 4
    return np.einsum("rc,nchw->nrhw", lucid_matrix(), pictures) if decorrelate else pictures


@pytest.mark.parametrize("size", [2, 7, 16, 33, 64])
@pytest.mark.parametrize(("decay", "decorrelate", "sd"), [(1.0, True, 0.01), (1.0, False, 1.0), (0.5, True, 0.3)])
def test_fourier_pictures_equal_the_published_formula(size: int, decay: float, decorrelate: bool, sd: float) -> None:
    image = fourier(size, 0, 1, sd=sd, decay=decay, decorrelate=decorrelate)
    expected = 1 / (1 + np.exp(-unbounded_by_numpy(image.values, size, decay, decorrelate)))
    pictures = image()
    assert pictures.shape == (2, 3, size, size)
    np.testing.assert_allclose(pictures.detach(), expected, atol=2e-6)


@pytest.mark.parametrize("size", [1, 2, 3, 8, 9])
@pytest.mark.parametrize("channels", [3, 2])
def test_fourier_gradients_are_those_of_the_formula(size: int, channels: int) -> None:
    image = fourier(size, 0, 1, channels=channels, sd=0.5)
    weights = torch.randn(2, channels, size, size)
    (found,) = torch.autograd.grad((image() * weights).sum(), image.values)
    spectrum = torch.view_as_complex(image.values.double()) * spectrum_scale(size, 1.0).double()
    pictures = torch.fft.irfft2(spectrum, s=(size, size), norm="ortho") / 4
    if channels == 3:
        pictures = torch.einsum("rc,nchw->nrhw", torch.from_numpy(lucid_matrix()), pictures)
    (expected,) = torch.autograd.grad((pictures.sigmoid() * weights).sum(), image.values)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("precision", [None, torch.bfloat16])
def test_colors_are_mixed_and_bounded_in_full_precision(precision: torch.dtype | None) -> None:
    values = torch.randn(2, 3, 5, 7, generator=torch.Generator().manual_seed(0), requires_grad=True)
    with torch.autocast("cpu", precision, enabled=precision is not None):
        mixed, pictures = mix(values, correlation_matrix()), bounded(values, correlation_matrix())
    expected = torch.einsum("rc,nchw->nrhw", torch.from_numpy(lucid_matrix()), values.double())
    torch.testing.assert_close(mixed.double(), expected, atol=1e-6, rtol=0)
    torch.testing.assert_close(pictures.double(), expected.sigmoid(), atol=1e-6, rtol=0)


def test_fourier_coefficients_start_normal_and_soft_gray() -> None:
    image = fourier(64, 0, 1, 2)
    assert image.values.std().item() == pytest.approx(0.01, rel=0.01)
    assert image.values.mean().abs().item() < 1e-4
    assert (image().mean() - 0.5).abs() < 0.02
    assert image().std() < 0.1


@pytest.mark.parametrize("decay", [0.0, 0.7, 1.0, 2.0])
@pytest.mark.parametrize("size", [8, 9])
def test_low_frequencies_are_scaled_up_by_the_decay(size: int, decay: float) -> None:
    scale = spectrum_scale(size, decay)
    assert scale.shape == (size, size // 2 + 1)
    assert scale[0, 0].item() == pytest.approx(size**decay)
    assert scale[1, 0].item() == pytest.approx(size**decay, rel=1e-5)
    assert scale[-2, 2].item() == pytest.approx((size / math.hypot(2, 2)) ** decay, rel=1e-5)


@pytest.mark.parametrize(("old", "new"), [(16, 32), (15, 40), (16, 25), (15, 27), (32, 32)])
@pytest.mark.parametrize("decay", [1.0, 0.5, 1.5])
def test_fourier_upscaling_is_fourier_interpolation(old: int, new: int, decay: float) -> None:
    image = fourier(old, 0, 1, sd=0.5, decay=decay)
    with torch.no_grad():  # an even size's highest frequency has no counterpart in a larger picture
        image.values[:, :, (old + 1) // 2 : (old + 1) // 2 + (old % 2 == 0)] = 0
        image.values[:, :, :, (old + 1) // 2 :] = 0
    before = unbounded_by_numpy(image.values, old, decay, True)
    spectrum = np.fft.fftshift(np.fft.fft2(before), axes=(2, 3))
    low = new // 2 - old // 2
    padded = np.zeros((2, 3, new, new), complex)
    padded[:, :, low : low + old, low : low + old] = spectrum
    interpolated = np.fft.ifft2(np.fft.ifftshift(padded, axes=(2, 3))).real * (new / old) ** 2
    image.resize(new)
    assert image.size == new
    assert psnr(image().detach(), 1 / (1 + np.exp(-interpolated))) > 60


@pytest.mark.parametrize("size", [16, 17])
def test_fourier_upscaling_by_two_keeps_every_sample(size: int) -> None:
    image = fourier(size, 3, sd=0.05)
    before = image().detach()
    image.resize(2 * size)
    after = image().detach()
    assert psnr(after[..., ::2, ::2], before) > 40


def test_fourier_pictures_survive_growing_and_shrinking_back() -> None:
    image = fourier(21, 0, 1)
    before = image.values.detach().clone()
    image.resize(50)
    image.resize(21)
    torch.testing.assert_close(image.values.detach(), before)


@pytest.mark.parametrize("build", [fourier, pixel])
def test_resampling_is_linear_and_keeps_the_parameter(build: object) -> None:
    image = build(12, 0, 1)
    parameter, a = image.values, image.values.detach().clone()
    b = torch.randn_like(a)
    both = image.resampled(2 * a - 3 * b, 20)
    torch.testing.assert_close(both, 2 * image.resampled(a, 20) - 3 * image.resampled(b, 20), rtol=1e-4, atol=1e-5)
    image().sum().backward()
    image.resize(20)
    assert image.values is parameter
    assert image.values.grad is None
    image().sum().backward()
    assert image.values.grad.shape == image.values.shape
    assert image().shape == (2, 3, 20, 20)


@pytest.mark.parametrize("channels", [1, 2, 4])
def test_fourier_pictures_of_other_than_three_channels_are_not_decorrelated(channels: int) -> None:
    image = fourier(10, 0, channels=channels, sd=0.5)
    expected = 1 / (1 + np.exp(-unbounded_by_numpy(image.values, 10, 1.0, False)))
    np.testing.assert_allclose(image().detach(), expected, atol=1e-6)


PIECES = list(itertools.product(COLORS, BOUNDS, SPACES))


@pytest.mark.parametrize(("color", "bound", "space"), PIECES)
def test_pixel_pictures_start_as_drawn_and_survive_an_empty_projection(color: str, bound: str, space: str) -> None:
    image = pixel(9, 4, 5, color=color, bound=bound, space=space)
    drawn = torch.stack([INIT((3, 9, 9), g) for g in generators(4, 5)])
    torch.testing.assert_close(image().detach(), drawn, atol=1e-5, rtol=0)
    image.project(lambda pictures: pictures)
    torch.testing.assert_close(image().detach(), drawn, atol=2e-5, rtol=0)
    image.project(lambda pictures: 1 - pictures)
    torch.testing.assert_close(image().detach(), 1 - drawn, atol=2e-5, rtol=0)


@pytest.mark.parametrize(("color", "bound", "space"), PIECES)
def test_pixel_values_become_pictures_by_the_formula(color: str, bound: str, space: str) -> None:
    image = pixel(5, 0, 1, color=color, bound=bound, space=space)
    with torch.no_grad():
        image.values.normal_(0, 2, generator=torch.Generator().manual_seed(0))
    expected = image.values.detach().double().numpy()
    if space == "model":
        expected = expected * np.reshape(STD, (3, 1, 1)) + np.reshape(MEAN, (3, 1, 1))
    if color == "decorrelated":
        expected = np.einsum("rc,nchw->nrhw", lucid_matrix(), expected)
    finish = {"sigmoid": lambda x: 1 / (1 + np.exp(-x)), "clip": lambda x: x.clip(0, 1), "none": lambda x: x}
    np.testing.assert_allclose(image().detach(), finish[bound](expected), atol=1e-5)


def test_in_the_models_space_the_values_are_what_the_network_sees() -> None:
    image = pixel(6, 0, bound="none", space="model")
    seen = (image() - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)
    torch.testing.assert_close(seen, image.values)


@pytest.mark.parametrize(("old", "new"), [(8, 12), (56, 67), (9, 27)])
def test_pixel_upscaling_equals_opencvs_bicubic(old: int, new: int) -> None:
    image = pixel(old, 0, 1, bound="none")
    expected = [
        cv2.resize(picture.transpose(1, 2, 0), (new, new), interpolation=cv2.INTER_CUBIC).transpose(2, 0, 1)
        for picture in image().detach().numpy()
    ]
    image.resize(new)
    np.testing.assert_allclose(image().detach(), expected, atol=1e-5)


def test_clip_drops_only_what_leads_further_outside() -> None:
    image = pixel(2, 0, channels=1, bound="clip")
    values = torch.tensor([[-0.5, 1.5], [0.25, 1.0]])
    for direction, expected in ((1.0, [[0.0, 1.0], [1.0, 1.0]]), (-1.0, [[-1.0, 0.0], [-1.0, -1.0]])):
        image.values.data = values.view(1, 1, 2, 2).clone()
        image.values.grad = None
        (direction * image()).sum().backward()
        assert torch.equal(image.values.grad[0, 0], torch.tensor(expected))
    assert torch.equal(image()[0, 0], values.clamp(0, 1))


def test_sigmoid_pictures_move_starts_off_the_edge() -> None:
    pictures = pixel(8, 0, init=Uniform(0.0, 0.0))()
    torch.testing.assert_close(pictures, torch.full_like(pictures, EDGE))
    assert pixel(8, 0, init=Normal(0.5, 3.0))().isfinite().all()


@pytest.mark.parametrize("channels", [1, 4])
@pytest.mark.parametrize("bound", BOUNDS)
@pytest.mark.parametrize("space", SPACES)
def test_pixel_pictures_of_one_and_four_channels(channels: int, bound: str, space: str) -> None:
    image = pixel(6, 2, channels=channels, bound=bound, space=space)
    assert image().shape == (1, channels, 6, 6)
    torch.testing.assert_close(image().detach()[0], INIT((channels, 6, 6), generators(2)[0]), atol=1e-5, rtol=0)


@pytest.mark.parametrize("build", [fourier, pixel])
def test_the_start_of_a_picture_depends_on_its_generator_alone(build: object) -> None:
    together, alone, other = build(10, 1, 2, 3), build(10, 2), build(10, 9)
    state = torch.get_rng_state()
    assert torch.equal(together.values[1], alone.values[0])
    assert not torch.equal(alone.values, other.values)
    assert torch.equal(build(10, 2).values, alone.values)
    assert torch.equal(torch.get_rng_state(), state)


def test_starts_draw_from_their_distribution() -> None:
    uniform = Uniform(0.5, 0.6)((3, 64, 64), generators(0)[0])
    normal = Normal(0.4, 0.05)((3, 64, 64), generators(0)[0])
    assert (uniform.min() >= 0.5, uniform.max() <= 0.6) == (True, True)
    assert uniform.mean().item() == pytest.approx(0.55, abs=1e-3)
    assert (normal.mean().item(), normal.std().item()) == pytest.approx((0.4, 0.05), abs=2e-3)


@pytest.mark.parametrize("build", [fourier, pixel])
def test_only_values_are_saved(build: object) -> None:
    assert list(build(8, 0).state_dict()) == ["values"]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: pixel(4, 0, color="rbg"), "unknown image.color 'rbg'; nearest: rgb"),
        (lambda: pixel(4, 0, bound="sigmod"), "unknown image.bound 'sigmod'; nearest: sigmoid"),
        (lambda: pixel(4, 0, bound=None), "unknown image.bound 'None'; nearest: none"),
        (lambda: pixel(4, 0, space="pixels"), "unknown image.space 'pixels'"),
        (
            lambda: pixel(4, 0, channels=1, color="decorrelated"),
            "decorrelated color needs 3 channels, but .* takes 1",
        ),
        (lambda: fourier(4, 0, sd=0), "image.sd is 0"),
        (lambda: Uniform(0.6, 0.5), "image.init.low is 0.6, above image.init.high, 0.5"),
        (lambda: fourier(4, 0).project(lambda x: x), "the image is FourierImage: choose image=pixel"),
    ],
)
def test_what_cannot_be_built_is_refused(call: object, words: str) -> None:
    with pytest.raises(FeatvizError, match=words) as caught:
        call()
    assert "\n" not in str(caught.value)
