"""Laplacian pyramids and pattern producing networks, against their formulas in NumPy and OpenCV."""

import cv2
import numpy as np
import pytest
import torch
from pictures import MEAN, STD, generators, lucid_matrix

from featviz.images.cppn import CppnImage, composite
from featviz.images.laplacian import LaplacianImage


def laplacian(size: int, *seeds: int, channels: int = 3, **settings: object) -> LaplacianImage:
    return LaplacianImage(size, generators(*seeds), (MEAN * 2)[:channels], (STD * 2)[:channels], **settings)


def cppn(size: int, *seeds: int, channels: int = 3, **settings: object) -> CppnImage:
    return CppnImage(size, generators(*seeds), (MEAN * 2)[:channels], (STD * 2)[:channels], **settings)


def sigmoid(values: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-values))


@pytest.mark.parametrize(("size", "levels"), [(16, 4), (21, 3), (8, 1), (9, 4)])
@pytest.mark.parametrize("channels", [3, 1])
def test_a_pyramid_is_the_sum_of_its_upsampled_levels(size: int, levels: int, channels: int) -> None:
    image = laplacian(size, 0, 1, channels=channels, levels=levels, sd=0.7)
    for values, picture in zip(image.values.detach().numpy(), image().detach(), strict=True):
        total, used = np.zeros((channels, size, size)), 0
        for level in range(levels):
            side = size // 2**level
            part = values[used : used + channels * side**2].reshape(channels, side, side)
            total += [cv2.resize(channel, (size, size), interpolation=cv2.INTER_LINEAR) for channel in part]
            used += channels * side**2
        assert used == len(values)
        mixed = np.einsum("rc,chw->rhw", lucid_matrix(), total) if channels == 3 else total
        np.testing.assert_allclose(picture, sigmoid(mixed), atol=1e-5)


def test_a_pyramid_starts_soft_gray() -> None:
    image = laplacian(64, 0)
    assert image.values.std().item() == pytest.approx(0.01, rel=0.03)
    assert (image() - 0.5).abs().max() < 0.05


@pytest.mark.parametrize(("old", "new"), [(16, 32), (15, 40)])
def test_each_level_of_a_pyramid_is_upscaled_by_itself(old: int, new: int) -> None:
    image = laplacian(old, 0, levels=2, sd=1.0)
    fine, coarse = image.values[0].detach().split([3 * old**2, 3 * (old // 2) ** 2])
    image.resize(new)
    expected = [
        cv2.resize(channel.numpy(), (side, side), interpolation=cv2.INTER_LINEAR)
        for level, before, side in ((fine, old, new), (coarse, old // 2, new // 2))
        for channel in level.view(3, before, before)
    ]
    np.testing.assert_allclose(
        image.values[0].detach(), np.concatenate([channel.ravel() for channel in expected]), atol=1e-5
    )


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
