"""Pictures that are no squares, and films, whichever the parametrization."""

from functools import partial

import numpy as np
import pytest
import torch
from refusals import refusal_of
from torch import Tensor
from torch.nn import functional as F

from featviz.images.alpha import AlphaImage
from featviz.images.base import Image
from featviz.images.cppn import CppnImage
from featviz.images.fourier import FourierImage, coefficients_of, pictures_of, spectrum_scale
from featviz.images.imagenet_spectrum import imagenet_spectrum
from featviz.images.init import DataMean, ModelNormal, Uniform
from featviz.images.laplacian import LaplacianImage
from featviz.images.maco import MacoImage
from featviz.images.pixel import PixelImage
from featviz.images.spectrum import at_size, power_law
from featviz.shapes import Shape

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
KINDS = {
    "fourier": partial(FourierImage, sd=0.3),
    "pixels": partial(PixelImage, init=Uniform()),
    "pixels, model": partial(PixelImage, init=ModelNormal(), space="model", bound="none"),
    "pixels, mean": partial(PixelImage, init=DataMean(0.1), color="decorrelated"),
    "laplacian": partial(LaplacianImage, sd=0.5, levels=3),
    "cppn": partial(CppnImage, width=6, depth=3),
}
OF_PICTURES = {"maco": MacoImage, "alpha": AlphaImage}


def build(kind: str, size: tuple[int, ...], count: int = 2) -> Image:
    generators = [torch.Generator().manual_seed(seed) for seed in range(count)]
    image: Image = (KINDS | OF_PICTURES)[kind](size=size, generators=generators, mean=MEAN, std=STD)
    if isinstance(image, CppnImage):  # which starts as one color
        image.values.data += 0.3 * torch.randn(image.values.shape, generator=torch.Generator().manual_seed(7))
    return image


@pytest.mark.parametrize("size", [(12, 21), (20, 9)])
@pytest.mark.parametrize("kind", [*KINDS, *OF_PICTURES])
def test_pictures_need_not_be_square(kind: str, size: tuple[int, int]) -> None:
    image = build(kind, size)
    pictures = image()
    assert pictures.shape == (2, 3 + (kind == "alpha"), *size)
    assert image.size == size
    pictures[0].square().sum().backward()
    assert image.values.grad is not None
    assert image.values.grad[0].any()
    assert not image.values.grad[1].any()


@pytest.mark.parametrize("kind", KINDS)
def test_films_have_frames(kind: str) -> None:
    image = build(kind, (5, 12, 9))
    films = image()
    assert films.shape == (2, 3, 5, 12, 9)
    image.resize((7, 16, 12))
    assert image().shape == (2, 3, 7, 16, 12)
    assert (image.size, image().isfinite().all()) == ((7, 16, 12), True)


@pytest.mark.parametrize("kind", OF_PICTURES)
def test_some_images_are_no_films(kind: str) -> None:
    assert refusal_of(lambda: build(kind, (5, 12, 9))).setting == "image"


@pytest.mark.parametrize(("old", "new"), [((24, 36), (36, 54)), ((25, 16), (40, 27))])
@pytest.mark.parametrize("kind", ["fourier", "laplacian", "cppn", "maco"])
def test_each_axis_is_upscaled(kind: str, old: tuple[int, int], new: tuple[int, int]) -> None:
    image = build(kind, old, 1)
    before = small(image().detach())
    image.resize(new)
    after = small(image().detach())
    assert np.corrcoef(before.flatten(), after.flatten())[0, 1] > 0.93


def small(pictures: Tensor) -> Tensor:
    return F.interpolate(pictures, (10, 12), mode="bilinear", antialias=True)


@pytest.mark.parametrize("size", [(10, 7), (7, 10), (4, 6, 9)])
def test_coefficients_fall_with_the_frequency_along_all_axes(size: tuple[int, ...]) -> None:
    grids = np.meshgrid(*(np.fft.fftfreq(side) for side in size), indexing="ij")
    frequency = np.sqrt(sum(axis**2 for axis in grids))[..., : size[-1] // 2 + 1]
    expected = 1 / np.maximum(frequency, 1 / max(size)) ** 1.5
    np.testing.assert_allclose(spectrum_scale(size, 1.5), expected, rtol=1e-5)
    values = torch.randn(2, 3, *size)
    torch.testing.assert_close(pictures_of(coefficients_of(values, 1.5), size, 1.5), values, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("size", [(6, 9), (3, 5, 8)])
def test_the_gradient_of_coefficients_is_that_of_numbers(size: tuple[int, ...]) -> None:
    values = torch.randn(1, 1, *size[:-1], size[-1] // 2 + 1, 2, dtype=torch.double, requires_grad=True)
    assert torch.autograd.gradcheck(lambda values: pictures_of(values, size, 1.0), values, atol=1e-4)


def test_upscaled_films_are_fourier_interpolation_in_time_too() -> None:
    image = build("fourier", (5, 9, 15), 1)
    before = image().detach().logit()
    image.resize((15, 27, 45))
    torch.testing.assert_close(image().detach().logit()[:, :, ::3, ::3, ::3], before, atol=2e-3, rtol=1e-2)


def test_magnitudes_of_natural_pictures_are_alike_along_both_axes() -> None:
    law = power_law((32, 64), 1)[0]
    assert law[1, 0].item() == pytest.approx(law[0, 2].item(), rel=1e-5)  # both 1 / 32 cycles per px
    measured = torch.rand(3, 64, 33) + 0.1
    assert torch.equal(at_size(measured, 64), measured)
    assert at_size(measured, (24, 40)).shape == (3, 24, 21)
    assert imagenet_spectrum((24, 40), 3).shape == (3, 24, 21)
    torch.testing.assert_close(imagenet_spectrum((24, 48), 3)[:, 3, 0], imagenet_spectrum(24, 3)[:, 3, 0])


def test_a_shape_is_kept_as_a_shape() -> None:
    assert build("pixels", [36, 64]).shape == Shape((36, 64))
