import numpy as np
import pytest
import torch
from fitting import ADAM
from growing import backbone, fit
from pictures import MEAN, STD, generators, lucid_matrix
from refusals import assert_refused
from torch import Tensor

from featviz.images.alpha import AlphaImage, RandomBackground, over
from featviz.images.fourier import FourierImage
from featviz.optim.method import Method
from featviz.optim.regularizers import MeanAlpha
from featviz.optim.schedules import constant
from featviz.optim.visualizer import FilterVisualizer
from featviz.transforms import Jitter, Transforms


def alpha_image(size: int, *seeds: int, **settings: object) -> AlphaImage:
    return AlphaImage(size, generators(*seeds), MEAN, STD, **settings)


def test_colors_are_those_of_a_fourier_image_and_alpha_is_a_channel_more() -> None:
    image = alpha_image(16, 0, 1, sd=1.0)
    with torch.no_grad():
        colors = FourierImage(16, generators(0, 1), MEAN, STD, sd=1.0)()
        pictures = image()
    torch.testing.assert_close(pictures[:, :3], colors)
    frequencies = np.hypot(np.fft.fftfreq(16)[:, None], np.fft.rfftfreq(16))
    coefficients = image.values[:, 3].detach().double().numpy()
    spectrum = (coefficients[..., 0] + 1j * coefficients[..., 1]) / np.maximum(frequencies, 1 / 16)
    alpha = 1 / (1 + np.exp(-np.fft.irfft2(spectrum, s=(16, 16), norm="ortho") / 4))
    np.testing.assert_allclose(pictures[:, 3], alpha, atol=1e-5)


def test_what_is_transparent_shows_the_background() -> None:
    pictures = torch.rand(2, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    pictures[0, 3], pictures[1, 3] = 1, 0.25
    laid = over(pictures, 0.5)
    torch.testing.assert_close(laid[0], pictures[0, :3])
    torch.testing.assert_close(laid[1], 0.25 * pictures[1, :3] + 0.375)


def test_backgrounds_are_colored_noise_of_high_contrast_and_the_draws_alone_decide() -> None:
    transparent = torch.zeros(2, 4, 32, 32)
    draws = torch.tensor([[0.1, 0.2], [0.3, 0.4]])
    laid = RandomBackground(0.5, 3)(transparent, draws)
    assert torch.equal(RandomBackground(0.5, 3)(transparent[1:], draws[1:])[0], laid[1])
    assert not torch.equal(laid[0], laid[1])
    unbounded = np.einsum("rc,nchw->nrhw", np.linalg.inv(lucid_matrix()), laid.double().logit().numpy())
    magnitude = np.abs(np.fft.rfft2(unbounded, norm="ortho"))[:, :, 1:, 1:16]
    scale = 1 / np.hypot(np.fft.fftfreq(32)[1:, None], np.fft.rfftfreq(32)[1:16])
    assert (magnitude / scale).mean() == pytest.approx(0.5 / 4 * np.sqrt(np.pi / 2), rel=0.05)  # Rayleigh's mean
    assert RandomBackground(0.5, 1)(torch.zeros(1, 2, 8, 8), draws[:1]).shape == (1, 1, 8, 8)


def fitted(weight: float, filters: list[int]) -> FilterVisualizer:
    used = {"alpha": MeanAlpha(weight)} if weight else {}
    transforms = Transforms({"jitter": Jitter(2)})
    method = Method(AlphaImage, constant(24, 25), ADAM, transforms=transforms, regularizers=used)
    module = FilterVisualizer(backbone(), method, "4", filters)
    fit(module)
    return module


def test_the_penalty_makes_pictures_transparent_where_the_filter_does_not_care() -> None:
    without, with_it = fitted(0, [3, 4]), fitted(5.0, [3, 4])
    opaque, transparent = (module.opacity() for module in (without, with_it))
    assert opaque.shape == transparent.shape == (2, 1, 24, 24)
    assert (transparent.mean((1, 2, 3)) < opaque.mean((1, 2, 3)) - 0.1).all()
    expected = over(with_it.image().detach(), 0.5)
    torch.testing.assert_close(with_it.pictures(), expected)
    torch.testing.assert_close(fitted(5.0, [4]).pictures()[0], with_it.pictures()[1], atol=2e-3, rtol=0)


def test_the_penalty_is_the_root_mean_square_of_alpha() -> None:
    pictures = torch.rand(3, 4, 6, 6, generator=torch.Generator().manual_seed(0))
    expected = 2 * np.sqrt((pictures[:, 3].double().numpy() ** 2).mean((1, 2)))
    np.testing.assert_allclose(MeanAlpha(2.0)(pictures), expected, rtol=1e-6)


def test_what_does_not_go_together_is_refused() -> None:
    def visualizer(**settings: object) -> Tensor:
        return FilterVisualizer(backbone(), Method(schedule=constant(24, 1), optimizer=ADAM, **settings), "4", [0])

    alpha = {"alpha": MeanAlpha(1.0)}
    assert_refused(
        lambda: visualizer(image=FourierImage, regularizers=alpha), "regularizers.alpha", None, "image=alpha"
    )
    expected = "opacity=false, or another image"
    assert_refused(lambda: visualizer(image=AlphaImage, opacity=True), "opacity", True, expected)
    assert_refused(lambda: alpha_image(8, 0, background=-1.0), "image.background", -1.0, "zero or more")
