"""How much of a picture is fine detail, and whether that is more than photos have."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

#: Octaves of the spectrum, by the shortest and the longest period in px. The first one holds all that is finer, too.
BANDS = ((2, 4), (4, 8), (8, 16))

#: The power of frequency that the energy of photos falls with. It meets the mean shares of 200 of ImageNet's photos, at
#: 64 to 224 px, within a fifth; those of the ten that scikit-image, scikit-learn and matplotlib bring are smoother.
NATURAL_FALL = 2.5


def band_shares(picture: NDArray[np.floating]) -> tuple[float, ...]:
    """The share of a picture's spectral energy in each octave of ``BANDS``, from 0 to 1.

    ``picture`` is (H, W) or (H, W, C). The energy is the squared magnitude of the discrete Fourier transform, summed
    over the channels, without the mean; the frequency is that in any direction. Of white noise 1 - pi / 16 is in the
    first octave, of photos a few per cent, of a picture of one color nothing.
    """
    values = np.atleast_3d(np.asarray(picture, dtype=np.float64))
    energy = (np.abs(np.fft.fft2(values - values.mean((0, 1)), axes=(0, 1))) ** 2).sum(2)
    total = energy.sum()
    if total <= 1e-15 * values.size**2:
        return (0.0,) * len(BANDS)
    return tuple(float(energy[octave].sum() / total) for octave in _octaves(*values.shape[:2]))


@lru_cache(maxsize=8)
def natural_shares(height: int, width: int) -> tuple[float, ...]:
    """The same of an energy that falls as that of photos does, in pictures of this size."""
    frequencies = _frequencies(height, width)
    frequencies[0, 0] = np.inf  # the mean has no share
    energy = frequencies**-NATURAL_FALL
    if not energy.any():  # of a single pixel
        return (0.0,) * len(BANDS)
    return tuple(float(energy[octave].sum() / energy.sum()) for octave in _octaves(height, width))


def share_of_high_frequencies(picture: NDArray[np.floating]) -> float:
    """The share of a picture's spectral energy above half the Nyquist frequency: the first of ``band_shares``."""
    return band_shares(picture)[0]


def _frequencies(height: int, width: int) -> NDArray[np.float64]:
    """In cycles per pixel, in any direction, in the order of a discrete Fourier transform."""
    frequencies: NDArray[np.float64] = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width))
    return frequencies


def _octaves(height: int, width: int) -> list[NDArray[np.bool_]]:
    """Which frequencies are in each octave."""
    frequencies = _frequencies(height, width)
    upper = [np.inf, *(1 / shortest for shortest, _ in BANDS[1:])]
    return [(frequencies > 1 / longest) & (frequencies <= top) for (_, longest), top in zip(BANDS, upper, strict=True)]


def spectrum_slope(picture: NDArray[np.floating]) -> float:
    """The power of frequency that a picture's power falls with: natural pictures are near -2, white noise is near 0.

    ``picture`` is (H, W) or (H, W, C). A Hann window takes off what the borders add; the energy, summed over the
    channels, is averaged over rings one cycle per picture wide, from 2 cycles to the Nyquist frequency, and a line is
    fitted to both logarithms (Field 1987). A picture of one color has none: nan.
    """
    values = np.atleast_3d(np.asarray(picture, dtype=np.float64))
    height, width = values.shape[:2]
    window = np.outer(np.hanning(height), np.hanning(width))[..., None]
    energy = (np.abs(np.fft.fft2((values - values.mean((0, 1))) * window, axes=(0, 1))) ** 2).sum(2)
    side = min(height, width)
    rings = np.rint(np.hypot(np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width)) * side).astype(int).ravel()
    power = np.bincount(rings, energy.ravel()) / np.maximum(np.bincount(rings), 1)
    at = np.arange(2, side // 2 + 1)
    if len(at) < 2 or not (power[at] > 1e-15 * values.size).all():
        return float("nan")
    return float(np.polyfit(np.log(at), np.log(power[at]), 1)[0])
