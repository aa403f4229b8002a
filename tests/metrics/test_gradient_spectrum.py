"""How many frequencies take part in gradients."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from photo_folder import NAMES, tiny

from featviz.metrics.gradient_spectrum import participation_ratio, photo_gradients, radial_spectrum
from featviz.models.backbone import Backbone
from featviz.photos.files import load_photo


def test_noise_takes_all_frequencies_and_a_wave_one() -> None:
    rng = np.random.default_rng(0)
    white = np.mean([radial_spectrum(rng.normal(size=(3, 64, 64))) for _ in range(50)], 0)
    assert participation_ratio(white) == pytest.approx(1, abs=0.02)
    wave = np.sin(2 * np.pi * 8 * np.arange(64) / 64) * np.ones((1, 64, 1))
    spectrum = radial_spectrum(wave)
    assert (len(spectrum), spectrum.argmax(), spectrum.sum()) == (32, 8 - 1, pytest.approx(1))
    assert participation_ratio(spectrum) == pytest.approx(1 / 32)
    assert math.isnan(participation_ratio(radial_spectrum(np.zeros((3, 16, 16)))))


def test_a_fall_by_hand() -> None:
    assert participation_ratio(np.array([4.0, 2.0, 2.0])) == pytest.approx(8**2 / (16 + 4 + 4) / 3)


@pytest.mark.usefixtures("photos_here")
@pytest.mark.parametrize("figure", ["mean", "max"])
def test_gradients_are_those_of_the_network(figure: str) -> None:
    model, files = tiny(), [Path("photos", name) for name in NAMES[:3]]
    found = photo_gradients(Backbone(model, ["second"]), "second", 7, figure, files)
    for file, gradient in zip(files, found, strict=True):
        photo = load_photo(file, 48)[None].requires_grad_()
        network = model.network
        maps = network.second(network.act(network.bn(network.first((photo - 0.45) / 0.25))))[0, 7]
        (expected,) = torch.autograd.grad(maps.mean() if figure == "mean" else maps.max(), photo)
        torch.testing.assert_close(gradient, expected[0], rtol=1e-4, atol=1e-7)
