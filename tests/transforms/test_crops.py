from collections.abc import Callable

import numpy as np
import pytest
import torch
from pictures import drawn, random_pictures
from refusals import assert_refused
from scipy.ndimage import map_coordinates
from scipy.stats import kstest, norm, uniform
from torch import Tensor

from featviz.transforms import Crops, NormalCrops, UniformCrops


def pictures(count: int = 2, size: int = 40) -> Tensor:
    return random_pictures(count, size)


def by_scipy(picture: np.ndarray, box: np.ndarray, size: int) -> np.ndarray:
    """Region alignment of a box (left, top, right, bottom) in px, all of it inside the picture."""
    left, top, right, bottom = box
    samples = int(np.ceil((right - left) / size))
    steps = (np.arange(size * samples) + 0.5) / (size * samples)
    grid = np.meshgrid(top + (bottom - top) * steps - 0.5, left + (right - left) * steps - 0.5, indexing="ij")
    fine = np.stack([map_coordinates(channel, grid, order=1, mode="nearest") for channel in picture])
    return fine.reshape(len(picture), size, samples, size, samples).mean((2, 4))


@pytest.mark.parametrize(
    ("crops", "progress"),
    [
        (UniformCrops(5, 8, center_std=None, low=0.1, high=0.2), 0.0),
        (UniformCrops(5, 8, center_std=None, low=0.5, high=0.99), 0.0),
        (NormalCrops(5, 8, center_std=0.02, start=0.2, end=0.8), 0.5),
    ],
)
def test_crops_equal_scipy_and_come_one_set_after_another(crops: Crops, progress: float) -> None:
    x, d = pictures(), drawn(2, crops.draws)
    made = crops(x, d, progress)
    assert made.shape == (5 * 2, 3, 8, 8)
    for at, crop in enumerate(made):
        copy, one = divmod(at, 2)
        box = crops.boxes(d[one : one + 1, 3 * copy : 3 * copy + 3], progress)[0].double().numpy() * 40
        np.testing.assert_allclose(crop, by_scipy(x[one].double().numpy(), box, 8), atol=1e-5)


def test_the_whole_picture_at_its_own_size_is_the_picture() -> None:
    x = pictures()
    crops = UniformCrops(2, 40, center_std=0.0, low=1.0, high=1.0)
    torch.testing.assert_close(crops(x, drawn(2, 6)), x.repeat(2, 1, 1, 1), atol=1e-6, rtol=0)


def test_detail_that_is_too_fine_is_averaged() -> None:
    board = (torch.arange(64) % 2).float().expand(1, 3, 64, 64)
    crops = UniformCrops(8, 16, center_std=None, low=0.9, high=0.99)
    assert (crops(board, drawn(1, crops.draws)) - 0.5).abs().max() < 0.15


def test_outside_the_picture_is_the_fill() -> None:
    crops = NormalCrops(1, 8, center_std=5.0, fill=0.3)
    corner = crops(torch.ones(1, 3, 40, 40), torch.tensor([[1 - 2**-24, 1 - 2**-24, 0.5]]))
    torch.testing.assert_close(corner, torch.full((1, 3, 8, 8), 0.3))


@pytest.mark.parametrize(("progress", "mean"), [(0.0, 0.5), (0.5, 0.275), (1.0, 0.05)])
def test_macos_boxes(progress: float, mean: float) -> None:
    left, top, right, bottom = NormalCrops(32).boxes(drawn(20_000, 3), progress).double().numpy().T
    side = right - left
    np.testing.assert_allclose(bottom - top, side, atol=1e-6)
    for center in ((left + right) / 2, (top + bottom) / 2):
        assert kstest(center, norm(0.5, 0.15).cdf).pvalue > 0.01
    assert abs(np.corrcoef(left + right, top + bottom)[0, 1]) < 0.03
    assert (side.min() >= 0.05 - 1e-6, side.max() <= 1) == (True, True)
    inner = np.sort(side)[side.size // 2 :]  # what is not clipped
    expected = norm(mean, 0.05).ppf((np.arange(side.size // 2, side.size) + 0.5) / side.size)
    np.testing.assert_allclose(inner[:-100], expected[:-100], atol=3e-3)


def test_sides_between_two_shares_and_boxes_that_stay_inside() -> None:
    left, top, right, bottom = UniformCrops(1, center_std=None).boxes(drawn(20_000, 3), 0.7).double().numpy().T
    side = right - left
    assert kstest(side, uniform(0.05, 0.94).cdf).pvalue > 0.01
    assert min(left.min(), top.min()) >= -1e-6
    assert max(right.max(), bottom.max()) <= 1 + 1e-6
    assert kstest(left / (1 - side), uniform.cdf).pvalue > 0.01
    assert abs(np.corrcoef(left / (1 - side), top / (1 - side))[0, 1]) < 0.03


def test_every_crop_of_every_picture_has_draws_of_its_own() -> None:
    x = pictures(1).expand(3, -1, -1, -1)
    crops = NormalCrops(6, 8)
    assert (crops.copies, crops.draws, crops.canvas(40)) == (6, 18, 8)
    made = crops(x, drawn(3, 18))
    assert len({round(crop.sum().item(), 4) for crop in made}) == 18


@pytest.mark.parametrize(
    ("call", "setting", "got", "right"),
    [
        (lambda: NormalCrops(0), "crops.count", 0, "1 or more"),
        (lambda: NormalCrops(1, 0), "crops.size", 0, "a number above zero"),
        (lambda: NormalCrops(1, center_std=-1.0), "crops.center_std", -1.0, "zero or more"),
        (lambda: NormalCrops(1, std=-1.0), "crops.std", -1.0, "zero or more"),
        (
            lambda: NormalCrops(1, smallest=0.0),
            "crops.smallest",
            0.0,
            "shares of the picture's side, above 0 and at most 1, smallest not above largest",
        ),
        (
            lambda: NormalCrops(1, largest=1.5),
            "crops.smallest",
            0.05,
            "shares of the picture's side, above 0 and at most 1, smallest not above largest",
        ),
        (
            lambda: UniformCrops(1, low=0.5, high=0.4),
            "crops.low",
            0.5,
            "shares of the picture's side, above 0 and at most 1, low not above high",
        ),
    ],
)
def test_crops_that_cannot_be(call: Callable[..., object], setting: str, got: object, right: str) -> None:
    assert_refused(call, setting, got, right)
