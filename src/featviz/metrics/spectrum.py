"""How much of a picture is fine detail."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

HALF_NYQUIST = 0.25  # cycles per pixel


def share_of_high_frequencies(picture: NDArray[np.floating]) -> float:
    """The share of a picture's spectral energy above half the Nyquist frequency, from 0 to 1.

    ``picture`` is (H, W) or (H, W, C). The energy is the squared magnitude of the discrete Fourier transform, summed
    over the channels, without the mean; the frequency is that in any direction. White noise has 1 - pi / 16, natural
    pictures a few per cent (magnitudes of 1 / frequency), a picture of one color 0.
    """
    values = np.atleast_3d(np.asarray(picture, dtype=np.float64))
    energy = (np.abs(np.fft.fft2(values - values.mean((0, 1)), axes=(0, 1))) ** 2).sum(2)
    vertical, horizontal = np.fft.fftfreq(values.shape[0]), np.fft.fftfreq(values.shape[1])
    high = np.hypot(vertical[:, None], horizontal) > HALF_NYQUIST
    total = energy.sum()
    return float(energy[high].sum() / total) if total > 1e-15 * values.size**2 else 0.0


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
