"""Chains of transforms: their sizes, fills and draws."""

import numpy as np
import pytest
import torch
from resampling import FACTORS, chain, draw_for, pictures
from torch import Tensor

from featviz.transforms import (
    DrawnTransforms,
    Jitter,
    Pad,
    Rotate,
    RotateBetween,
    Scale,
    Transform,
    Transforms,
)


@pytest.mark.parametrize("size", [16, 21, 64])
def test_the_size_is_what_comes_out(size: int) -> None:
    transforms = chain()
    assert transforms(torch.rand(1, 1, size, size), torch.rand(1, 6)).shape[2:] == (transforms.size(size),) * 2
    assert transforms.size(size) == size + 24 - 8 - 4


@pytest.mark.parametrize("fill", [0.0, 0.3])
def test_what_rotation_uncovers_has_the_fill_of_the_pad(fill: float) -> None:
    x = torch.ones(1, 1, 20, 20)
    rotated = Transforms({"pad": Pad(5, fill), "rotate": Rotate([45])})(x, torch.zeros(1, 1))
    torch.testing.assert_close(rotated[0, 0, [0, 0, -1, -1], [0, -1, 0, -1]], torch.full((4,), fill))
    assert rotated[0, 0, 15, 15] == pytest.approx(1)


def test_without_a_pad_the_fill_is_gray() -> None:
    rotated = Rotate([45])(torch.ones(1, 1, 20, 20), torch.zeros(1, 1))
    assert rotated[0, 0, 0, 0].item() == pytest.approx(0.5)


def test_a_pad_after_other_transforms_is_a_border_of_its_own_fill() -> None:
    x = pictures(1, 20)
    steps = {"pad": Pad(2, 0.1), "jitter": Jitter(6), "more": Pad(3, 0.9)}
    changed = Transforms(steps)(x, torch.tensor([[draw_for(0, 7), draw_for(6, 7)]]))
    cropped = np.pad(x, ((0, 0), (0, 0), (2, 2), (2, 2)), constant_values=0.1)[:, :, 6:, :-6]
    expected = np.pad(cropped, ((0, 0), (0, 0), (3, 3), (3, 3)), constant_values=0.9)
    np.testing.assert_allclose(changed, expected, atol=1e-5)
    assert Transforms(steps).size(20) == changed.shape[2]


class Brighten(Transform):
    """Adds what is drawn."""

    draws = 1

    def __call__(self, pictures: Tensor, draws: Tensor, progress: float = 0.0) -> Tensor:
        return pictures + draws[:, :, None, None]


class Square(Transform):
    def __call__(self, pictures: Tensor, draws: Tensor, progress: float = 0.0) -> Tensor:
        assert draws.shape == (len(pictures), 0)
        return pictures**2


def test_other_transforms_stand_between_and_get_their_own_draws() -> None:
    x = pictures(2, 20)
    steps = {"square": Square(), "jitter": Jitter(4), "brighten": Brighten(), "scale": Scale(FACTORS)}
    transforms = Transforms(steps)
    draws = torch.rand(2, 4, generator=torch.Generator().manual_seed(5))
    expected = Scale(FACTORS)(Jitter(4)(x**2, draws[:, :2]) + draws[:, 2, None, None, None], draws[:, 3:])
    assert transforms.draws == 4
    torch.testing.assert_close(transforms(x, draws), expected)
    assert transforms.size(20) == 16


class Twice(Transform):
    """Two copies, one brighter."""

    copies, draws = 2, 1

    def __call__(self, pictures: Tensor, draws: Tensor, progress: float = 0.0) -> Tensor:
        return torch.cat([pictures, pictures + draws[:, :, None, None] + progress])


def test_copies_get_draws_of_their_own() -> None:
    x = pictures(2, 6)
    transforms = Transforms({"first": Twice(), "brighten": Brighten(), "second": Twice()})
    assert (transforms.copies, transforms.draws) == (4, 1 + 2 + 2)
    d = torch.rand(2, 5, generator=torch.Generator().manual_seed(5))
    d_ = d[:, :, None, None, None].transpose(0, 1)
    dull, bright = x + d_[1], x + d_[0] + 0.25 + d_[2]
    expected = torch.cat([dull, bright, dull + d_[3] + 0.25, bright + d_[4] + 0.25])
    torch.testing.assert_close(transforms(x, d, 0.25), expected)


def test_what_is_drawn_for_all_steps_changes_each_step_by_its_own_numbers() -> None:
    transforms = Transforms(
        {"pad": Pad(3, at=16), "jitter": Jitter(4), "twice": Twice(), "turn": RotateBetween(-20, 20)}
    )
    draws = torch.rand(3, 5, transforms.draws, generator=torch.Generator().manual_seed(8))
    drawn = DrawnTransforms(transforms, draws)
    for size, step in ((16, 0), (16, 4), (24, 2), (16, 3)):
        x = pictures(3, size)
        assert torch.equal(drawn(x, step, 0.5), transforms(x, draws[:, step], 0.5))
    assert not torch.equal(drawn(pictures(3, 16), 0), drawn(pictures(3, 16), 1))


@pytest.mark.parametrize("steps", [None, {}])
def test_no_transforms_leave_the_pictures_alone(steps: dict[str, object] | None) -> None:
    x = pictures()
    assert Transforms(steps)(x, torch.empty(3, 0)) is x
    assert Transforms(steps).size(33) == 33
