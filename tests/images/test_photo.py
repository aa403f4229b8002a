"""Pictures that start from a photo."""

from pathlib import Path

import numpy as np
import pytest
import torch
from pictures import MEAN, STD, generators, lucid_matrix, psnr
from PIL import Image as Pillow
from refusals import assert_refused
from torch import Tensor

from featviz.images import PhotoFourier, PhotoImage, PhotoPhase, PhotoPixels
from featviz.images.pixel import EDGE
from featviz.photos.files import load_photo

KINDS = {"pixels": PhotoPixels, "fourier": PhotoFourier, "phase": PhotoPhase}


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Noise of 90 x 70 px, with black and white in it."""
    noise = np.random.default_rng(0).normal(128, 60, (70, 90, 3)).clip(0, 255).astype(np.uint8)
    file = tmp_path_factory.mktemp("photos") / "noise.png"
    Pillow.fromarray(noise).save(file)
    return str(file)


def of(path: str, size: int, *seeds: int, channels: int = 3, kind: str = "pixels", **settings: object) -> PhotoImage:
    return KINDS[kind](size, generators(*seeds), (MEAN * 2)[:channels], (STD * 2)[:channels], path, **settings)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("size", [32, 45])
def test_it_starts_as_the_photo_and_gives_it_back_at_every_size(path: str, kind: str, channels: int, size: int) -> None:
    image = of(path, size, 0, 1, channels=channels, kind=kind)
    assert not image.values.any()
    for side in (size, 2 * size, 27):
        image.resize(side)
        expected = load_photo(path, side, channels)
        for picture in image().detach():
            inside = expected if kind == "pixels" else expected.clamp(EDGE, 1 - EDGE)
            torch.testing.assert_close(picture, inside, atol=1e-6 if kind == "pixels" else 1e-3, rtol=0)


def before_the_sigmoid(picture: Tensor) -> np.ndarray:
    logits = picture.double().clamp(EDGE, 1 - EDGE).logit().numpy()
    return np.einsum("rc,chw->rhw", np.linalg.inv(lucid_matrix()), logits)


def finished(values: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-np.einsum("rc,chw->rhw", lucid_matrix(), values)))


def test_pixels_are_the_photo_plus_the_values_clipped(path: str) -> None:
    image = of(path, 24, 0, 1, noise=0.3)
    expected = (load_photo(path, 24) + image.values.detach()).clamp(0, 1)
    assert image.values.std().item() == pytest.approx(0.3, rel=0.05)
    torch.testing.assert_close(image().detach(), expected)


@pytest.mark.parametrize("size", [16, 21])
def test_fourier_values_are_added_to_the_photos_coefficients(path: str, size: int) -> None:
    image = of(path, size, 3, kind="fourier", noise=0.5)
    values = torch.view_as_complex(image.values[0].detach()).numpy()
    y, x = np.fft.fftfreq(size), np.fft.rfftfreq(size)
    scale = 1 / np.maximum(np.hypot(y[:, None], x[None]), 1 / size)
    added = np.fft.irfft2(values * scale, s=(size, size), norm="ortho") / 4
    expected = finished(before_the_sigmoid(load_photo(path, size)) + added)
    np.testing.assert_allclose(image()[0].detach(), expected, atol=1e-4)


@pytest.mark.parametrize("size", [16, 21])
def test_phases_turn_and_magnitudes_stay(path: str, size: int) -> None:
    image = of(path, size, 3, kind="phase", noise=1.0)
    spectrum = np.fft.rfft2(before_the_sigmoid(load_photo(path, size)))
    turned = spectrum * np.exp(1j * image.values[0].detach().double().numpy())
    expected = np.fft.irfft2(turned, s=(size, size))
    np.testing.assert_allclose(image()[0].detach(), finished(expected), atol=1e-4)
    found = np.abs(np.fft.rfft2(before_the_sigmoid(image()[0].detach())))
    free = (slice(None), slice(1, None), slice(1, -1))  # elsewhere a real picture allows no free phase
    inside = image().min() > EDGE and image().max() < 1 - EDGE
    if inside:
        np.testing.assert_allclose(found[free], np.abs(spectrum)[free], rtol=1e-2)


@pytest.mark.parametrize("kind", KINDS)
def test_noise_makes_variants_differ_a_little(path: str, kind: str) -> None:
    image = of(path, 32, 0, 1, kind=kind, noise=0.01)
    one, other = image().detach()
    assert not torch.equal(one, other)
    assert psnr(one, other) > 20


def test_what_has_been_added_is_upscaled_and_the_photo_is_not(path: str) -> None:
    image = of(path, 32, 0)
    with torch.no_grad():
        image.values[:, :, 8:24, 8:24] += 0.1
    added = image.values.detach().clone()
    image.resize(64)
    expected = torch.nn.functional.interpolate(added, (64, 64), mode="bicubic")
    torch.testing.assert_close(image().detach(), (load_photo(path, 64) + expected).clamp(0, 1))


def test_projections_change_the_photo_too(path: str) -> None:
    image = of(path, 20, 0, 1)
    image.project(lambda pictures: pictures.clamp(0.3, 0.6))
    torch.testing.assert_close(image().detach(), load_photo(path, 20).clamp(0.3, 0.6).expand(2, -1, -1, -1))


def test_a_photo_may_lie_anywhere(tmp_path: Path) -> None:
    gray = tmp_path / "sub folder"
    gray.mkdir()
    Pillow.new("L", (30, 20), 90).save(gray / "gray.png")
    torch.testing.assert_close(of("sub folder/gray.png", 8, 0)().detach(), torch.full((1, 3, 8, 8), 90 / 255))


def test_photos_that_cannot_be_used(path: str, tmp_path: Path) -> None:
    (tmp_path / "text.jpg").write_text("no photo")
    assert_refused(lambda: of("nowhere.jpg", 8, 0), "photo", "nowhere.jpg", "")
    assert_refused(lambda: of(str(tmp_path / "text.jpg"), 8, 0), "photo", tmp_path / "text.jpg", "")
    assert_refused(lambda: of(path, 8, 0, noise=-1.0), "image.noise", -1.0, "zero or more")
    assert_refused(lambda: of(None, 8, 0), "image.path", None, "")


@pytest.mark.parametrize(("decay", "value_range"), [(1.5, None), (1.0, [-2.5, 2.5]), (1.5, [-3.0, 3.0])])
def test_coefficients_of_any_scale_and_range_start_as_the_photo(
    path: str, decay: float, value_range: list[float] | None
) -> None:
    image = PhotoFourier(24, generators(0), MEAN, STD, path, decay=decay, value_range=value_range)
    for side in (24, 32):
        image.resize(side)
        torch.testing.assert_close(image()[0], load_photo(path, side), atol=5e-3, rtol=0)
