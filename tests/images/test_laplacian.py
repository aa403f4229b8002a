"""Laplacian pyramids, against their formula in NumPy and OpenCV."""

from typing import Any

import cv2
import numpy as np
import pytest
from pictures import MEAN, STD, generators, lucid_matrix
from refusals import assert_refused

from featviz.images.laplacian import LaplacianImage


def laplacian(size: int, *seeds: int, channels: int = 3, **settings: object) -> LaplacianImage:
    return LaplacianImage(size, generators(*seeds), (MEAN * 2)[:channels], (STD * 2)[:channels], **settings)


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


@pytest.mark.parametrize(
    ("settings", "setting", "got", "right"),
    [
        ({"levels": 0}, "image.levels", 0, "1 or more"),
        ({"levels": 5}, "image.levels", 5, "1 to 4 for a picture of 8 px"),
        ({"sd": 0}, "image.sd", 0, "a number above zero"),
    ],
)
def test_pyramids_that_cannot_be_built(settings: dict[str, Any], setting: str, got: object, right: str) -> None:
    assert_refused(lambda: laplacian(8, 0, **settings), setting, got, right)
