import math
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from pictures import MEAN, STD, generators, lucid_matrix, psnr
from refusals import assert_refused
from torch import Tensor

from featviz.images.fourier import FourierImage, spectrum_scale


def of(values: tuple[float, ...], channels: int) -> tuple[float, ...]:
    return (values * 2)[:channels]


def fourier(size: int, *seeds: int, channels: int = 3, **kwargs: object) -> FourierImage:
    return FourierImage(size, generators(*seeds), of(MEAN, channels), of(STD, channels), **kwargs)


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


@pytest.fixture
def two_threads() -> Iterator[None]:
    usual = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(usual)


@pytest.mark.usefixtures("two_threads")
@pytest.mark.parametrize("size", [7, 30, 75, 100, 149])
def test_a_picture_is_the_same_to_the_last_bit_alone_and_beside_others(size: int) -> None:
    weights = torch.randn(1, 3, size, size)
    found = []
    for count in (1, 3, 5):  # from four on, large ones are made one by one
        image = fourier(size, *range(count), sd=1.0)
        pictures = image()
        (gradient,) = torch.autograd.grad((pictures * weights).sum(), image.values)
        found.append((pictures.detach()[0], gradient[0]))
    assert all(torch.equal(*pair) for others in found[1:] for pair in zip(found[0], others, strict=True))


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


@pytest.mark.parametrize("channels", [1, 2, 4])
def test_fourier_pictures_of_other_than_three_channels_are_not_decorrelated(channels: int) -> None:
    image = fourier(10, 0, channels=channels, sd=0.5)
    expected = 1 / (1 + np.exp(-unbounded_by_numpy(image.values, 10, 1.0, False)))
    np.testing.assert_allclose(image().detach(), expected, atol=1e-6)


@pytest.mark.parametrize(("setting", "value"), [("sd", 0), ("sd", -1), ("divisor", 0)])
def test_what_cannot_be_built(setting: str, value: float) -> None:
    assert_refused(lambda: fourier(4, 0, **{setting: value}), f"image.{setting}", value, "a number above zero")
