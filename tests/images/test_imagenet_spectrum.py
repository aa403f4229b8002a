from importlib.resources import files

import numpy as np
import pytest
import torch
from refusals import assert_refused

from featviz.images.imagenet_spectrum import imagenet_spectrum
from featviz.images.maco import MacoImage
from featviz.images.spectrum import spectrum_of

#: Single magnitudes of the source (deel-ai/xplique, spectrum_decorrelated.npy): channel, row, column, magnitude.
SOURCE = [
    (0, 0, 0, 255052.2),
    (0, 0, 1, 89306.29),
    (1, 0, 2, 45918.316),
    (2, 0, 3, 21340.523),
    (0, 1, 0, 106611.2),
    (1, 2, 0, 52098.29),
    (2, 1, 0, 79877.46),
]
#: Its means over rings of frequencies, in cycles per picture, of the first channel.
RINGS = {4: 1.69e4, 16: 3.00e3, 64: 393, 128: 104, 160: 55.4, 224: 11.4}


@pytest.mark.parametrize(("channel", "row", "column", "magnitude"), SOURCE)
def test_low_frequencies_are_those_of_the_source(channel: int, row: int, column: int, magnitude: float) -> None:
    assert imagenet_spectrum(512, 3)[channel, row, column].item() == pytest.approx(magnitude, rel=1e-3)


@pytest.mark.parametrize("radius", RINGS)
def test_rings_are_those_of_the_source(radius: int) -> None:
    frequency = np.hypot(np.fft.fftfreq(512)[:, None] * 512, np.arange(257))
    ring = imagenet_spectrum(512, 3)[0].numpy()[(frequency >= radius - 0.5) & (frequency < radius + 0.5)]
    assert ring.mean() == pytest.approx(RINGS[radius], rel=0.03)


@pytest.mark.parametrize("size", [31, 224, 1280])
def test_a_frequency_in_cycles_per_pixel_keeps_its_magnitude_at_every_size(size: int) -> None:
    spectrum, original = imagenet_spectrum(size, 3), imagenet_spectrum(512, 3)
    assert spectrum.shape == (3, size, size // 2 + 1)
    quarter = spectrum[:, 0, round(size / 8)]
    torch.testing.assert_close(quarter, original[:, 0, 64], rtol=0.2, atol=0)
    assert (spectrum > 0).all()


def test_a_single_channel_is_brightness_and_other_numbers_are_refused() -> None:
    assert torch.equal(spectrum_of("imagenet", 1)(32), imagenet_spectrum(32, 3)[:1])
    right = "null, or a file or folder of the network's own pictures"
    assert_refused(lambda: spectrum_of("imagenet", 4), "image.spectrum", "imagenet", right)


def test_pictures_have_the_magnitudes_of_the_spectrum() -> None:
    image = MacoImage(64, [torch.Generator().manual_seed(1)], (0.5,) * 3, (0.25,) * 3, spectrum="imagenet")
    values = image().detach().clamp(1e-6, 1 - 1e-6).logit()
    found = torch.fft.rfft2(image.decorrelated(values))[0].abs()[:, 1:16, 1:16]  # beyond, the sigmoid's rounding counts
    ratio = found / imagenet_spectrum(64, 3)[:, 1:16, 1:16]
    torch.testing.assert_close(ratio, ratio.mean().expand_as(ratio), rtol=0.02, atol=0)


def test_the_notice_of_its_license_lies_beside_the_figures() -> None:
    folder = files("featviz.images") / "data"
    assert "Permission is hereby granted" in (folder / "imagenet_spectrum.LICENSE").read_text()
    assert len((folder / "imagenet_spectrum.npz").read_bytes()) < 100_000
