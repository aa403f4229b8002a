"""The share of high frequencies, against its definition and pictures whose answer is known."""

import numpy as np
import pytest

from featviz.metrics.spectrum import share_of_high_frequencies


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
