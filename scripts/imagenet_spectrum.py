"""Make src/featviz/images/data/imagenet_spectrum.npz of the spectrum that xplique's package holds (MIT license).

    pip download xplique --no-deps && unzip xplique-*.whl
    python scripts/imagenet_spectrum.py xplique/features_visualizations/spectrum_decorrelated.npy

Low frequencies stay as they are. Beyond them each number is the mean over a bin that is the wider the higher the
frequency: there neighbors differ by the chance of the photos alone, about 5 %.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
from arguments import answer_help
from numpy.typing import NDArray

from featviz.images.imagenet_spectrum import imagenet_spectrum, law

TARGET = Path(__file__).parents[1] / "src" / "featviz" / "images" / "data" / "imagenet_spectrum.npz"
EXACT = 48  # cycles per picture, up to which each frequency has a bin of its own
GROWTH = 1.15  # of the width of a bin over that before it

Array = NDArray[np.floating[Any]]


def bins(highest: int) -> list[tuple[int, int]]:
    """First and last frequency of each bin, from 0 to ``highest``."""
    found, width = [(frequency, frequency) for frequency in range(EXACT + 1)], 1.0
    while found[-1][1] < highest:
        width, first = width * GROWTH, found[-1][1] + 1
        found.append((first, min(highest, first + round(width) - 1)))
    return found


def binned(spectrum: Array) -> tuple[Array, Array, Array]:
    """Centers of the bins down and across, in cycles per picture, and the mean magnitude of each cell."""
    size = spectrum.shape[1]
    columns = bins(size // 2)
    rows = [(-last, -first) for first, last in reversed(columns[1:])] + columns
    frequencies = np.fft.fftfreq(size) * size
    down = [spectrum[:, _alike(frequencies, size, bounds)].mean(1) for bounds in rows]
    cells = np.stack([np.stack(down, 1)[:, :, first : last + 1].mean(2) for first, last in columns], 2)
    return np.mean(rows, 1), np.mean(columns, 1), cells


def _alike(frequencies: Array, size: int, bounds: tuple[int, int]) -> NDArray[np.bool_]:
    """Which rows lie in a bin; the highest frequency of an even size is its own negative."""
    highest = np.abs(frequencies) * 2 == size
    inside = (frequencies >= bounds[0]) & (frequencies <= bounds[1])
    return inside | (highest & (max(map(abs, bounds)) * 2 == size))


def main() -> None:
    """Write the file, and say how far it is from the source."""
    spectrum = np.load(sys.argv[1]).astype(np.float64)
    rows, columns, cells = binned(spectrum)
    ratios = np.log(cells / law(rows, columns)).astype(np.float16)
    np.savez_compressed(TARGET, rows=rows.astype(np.float32), columns=columns.astype(np.float32), log_ratio=ratios)
    found = imagenet_spectrum(spectrum.shape[1], 3).double().numpy()
    weights = np.full(spectrum.shape, 2.0)
    weights[:, :, [0, -1]] = 1
    weights[:, 0, 0] = 0
    error = np.sqrt((weights * (found - spectrum) ** 2).sum() / (weights * spectrum**2).sum())
    print(f"{TARGET.stat().st_size} bytes; {100 * error:.2f} % from the source, as an L2 norm without the mean color")


if __name__ == "__main__":
    answer_help(__doc__, least=1)
    main()
