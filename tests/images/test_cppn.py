"""Pattern producing networks, against the formula in NumPy."""

import numpy as np
import pytest
import torch
from pictures import MEAN, STD, generators
from refusals import assert_refused

from featviz.images.cppn import CppnImage, composite


def cppn(size: int, *seeds: int, channels: int = 3, **settings: object) -> CppnImage:
    return CppnImage(size, generators(*seeds), (MEAN * 2)[:channels], (STD * 2)[:channels], **settings)


def sigmoid(values: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-values))


def network_by_numpy(values: np.ndarray, size: int, width: int, depth: int, channels: int) -> np.ndarray:
    """Pixel by pixel."""
    axis = np.linspace(-(3**0.5), 3**0.5, size)
    picture = np.zeros((channels, size, size))
    for row, column in np.ndindex(size, size):
        units, used = np.array([axis[column], axis[row]]), 0
        for layer in range(depth + 1):
            outputs = channels if layer == depth else width
            weights = values[used : used + len(units) * outputs].reshape(len(units), outputs)
            used += weights.size
            units = units @ weights + values[used : used + outputs]
            used += outputs
            if layer < depth:
                bent = np.arctan(units)
                units = np.concatenate([bent / 0.67, bent * bent / 0.6])
        assert used == len(values)
        picture[:, row, column] = sigmoid(units)
    return picture


@pytest.mark.parametrize(("width", "depth", "channels"), [(4, 2, 3), (3, 1, 1), (5, 3, 4)])
def test_a_network_computes_each_pixel_from_its_coordinates(width: int, depth: int, channels: int) -> None:
    image = cppn(7, 0, 1, channels=channels, width=width, depth=depth)
    with torch.no_grad():
        image.values.add_(torch.randn(image.values.shape, generator=generators(5)[0]), alpha=0.3)
    for values, picture in zip(image.values.detach().double().numpy(), image().detach(), strict=True):
        np.testing.assert_allclose(picture, network_by_numpy(values, 7, width, depth, channels), atol=1e-5)


def test_the_default_network_is_lucids() -> None:
    image = cppn(8, 0, 1)
    assert image.values.shape[1] == (2 * 24 + 24) + 7 * (48 * 24 + 24) + (48 * 3 + 3)
    assert image().std((2, 3)).max() < 1e-6  # a picture starts as one color
    assert (image() - 0.5).abs().max() < 0.15
    hidden = image.values[0, 72 : 72 + 48 * 24]
    assert hidden.std().item() == pytest.approx(48**-0.5, rel=0.05)


def test_units_keep_their_size_from_layer_to_layer() -> None:
    units = composite(torch.randn(100_000, 1, generator=generators(0)[0]))
    torch.testing.assert_close(units.square().mean(0).sqrt(), torch.ones(2), atol=0.02, rtol=0)


def test_a_larger_network_picture_has_the_same_corners() -> None:
    image = cppn(9, 0)
    with torch.no_grad():
        image.values.add_(torch.randn(image.values.shape, generator=generators(5)[0]), alpha=0.2)
    before = image().detach()
    image.resize(17)
    torch.testing.assert_close(image().detach()[..., ::2, ::2], before, atol=1e-5, rtol=0)


@pytest.mark.parametrize("setting", ["width", "depth"])
def test_networks_that_cannot_be_built(setting: str) -> None:
    assert_refused(lambda: cppn(8, 0, **{setting: 0}), f"image.{setting}", 0, "1 or more")
