"""Shares of the spectrum, against its definition and pictures whose answer is known."""

import numpy as np
import pytest
from PIL import Image
from skimage import data
from sklearn.datasets import load_sample_images

from featviz.metrics.spectrum import NATURAL_FALL, band_shares, natural_shares, share_of_high_frequencies
from featviz.photos.files import fit_levels


def wave(cycles_down: float, cycles_across: float, size: int = 64) -> np.ndarray:
    """A wave of so many cycles per picture, and gray."""
    down, across = np.mgrid[:size, :size] / size
    return 0.5 + 0.3 * np.cos(2 * np.pi * (cycles_down * down + cycles_across * across))


def by_definition(picture: np.ndarray) -> float:
    """The share from the discrete Fourier transform as a sum, frequency by frequency."""
    height, width, _ = picture.shape
    high = total = 0.0
    for v in range(height):
        for u in range(width):
            if (u, v) == (0, 0):
                continue
            basis = np.exp(-2j * np.pi * (v * np.arange(height)[:, None] / height + u * np.arange(width) / width))
            energy = sum(abs((picture[..., channel] * basis).sum()) ** 2 for channel in range(3))
            frequency = np.hypot(min(v, height - v) / height, min(u, width - u) / width)
            total += energy
            high += energy * (frequency > 0.25)
    return high / total


def test_the_share_is_the_sum_over_frequencies() -> None:
    picture = np.random.default_rng(0).random((9, 12, 3)).cumsum(1)
    assert share_of_high_frequencies(picture) == pytest.approx(by_definition(picture), rel=1e-9)


@pytest.mark.parametrize(
    ("down", "across", "share"), [(0, 15, 0), (16, 0, 0), (0, 17, 1), (20, 0, 1), (12, 12, 1), (11, 11, 0), (31, 31, 1)]
)
def test_a_wave_is_above_half_of_the_nyquist_frequency_or_not(down: int, across: int, share: float) -> None:
    assert share_of_high_frequencies(wave(down, across)) == pytest.approx(share, abs=1e-9)


def test_of_two_waves_energies_count() -> None:
    both = wave(0, 4) + 0.5 * wave(0, 25)
    assert share_of_high_frequencies(both) == pytest.approx(0.25 / 1.25)


def test_white_noise_and_one_color() -> None:
    noise = np.random.default_rng(0).normal(size=(200, 200, 3))
    assert share_of_high_frequencies(noise) == pytest.approx(1 - np.pi / 16, abs=0.01)
    assert share_of_high_frequencies(np.full((8, 8, 3), 0.3)) == 0


@pytest.mark.parametrize(
    ("period", "octave"), [(2.5, 0), (3.9, 0), (4.1, 1), (7.7, 1), (8.1, 2), (15.0, 2), (17.0, None)]
)
def test_a_wave_is_in_the_octave_of_its_period(period: float, octave: int | None) -> None:
    size = 240  # so that nearly all of it is in one frequency
    shares = band_shares(wave(0, round(size / period), size))
    assert shares == pytest.approx([float(at == octave) for at in range(3)], abs=1e-6)


@pytest.mark.parametrize("size", [32, 97, 160])
def test_natural_shares_are_those_of_a_spectrum_that_falls_so(size: int) -> None:
    """Pictures are made of it, with random phases."""
    rng, frequency = np.random.default_rng(0), np.hypot(np.fft.fftfreq(size)[:, None], np.fft.fftfreq(size))
    frequency[0, 0] = np.inf
    phases = np.fft.fft2(rng.normal(size=(20, size, size)))
    pictures = np.fft.ifft2(phases / np.abs(phases) * frequency ** (-NATURAL_FALL / 2)).real
    assert band_shares(pictures[0]) == pytest.approx(natural_shares(size, size), rel=1e-6)


def test_photos_of_packages_have_about_natural_shares() -> None:
    names = ("astronaut", "coffee", "chelsea", "rocket", "camera")
    photos = [Image.fromarray(np.asarray(getattr(data, name)())).convert("RGB") for name in names]
    photos += [Image.fromarray(picture) for picture in load_sample_images().images]
    for size in (64, 128, 224):
        means = np.mean([band_shares(fit_levels(photo, size).transpose(1, 2, 0)) for photo in photos], 0)
        assert means / natural_shares(size, size) == pytest.approx(1, abs=0.5)


@pytest.mark.parametrize("shape", [(1, 1), (1, 1, 3), (1, 2, 3), (2, 1)])
def test_pictures_of_hardly_any_pixels_have_shares_without_a_warning(shape: tuple[int, ...]) -> None:
    for shares in (band_shares(np.random.default_rng(0).random(shape)), natural_shares(*shape[:2])):
        assert np.isfinite(shares).all()
        assert 0 <= sum(shares) <= 1 + 1e-9
