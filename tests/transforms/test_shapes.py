"""Transforms of pictures that are no squares, and of films."""

import numpy as np
import pytest
import torch
from refusals import assert_refused
from resampling import chain

from featviz.models.normalization import Normalization
from featviz.transforms import (
    Blur,
    ColorShift,
    Copies,
    DrawnTransforms,
    Flip,
    Jitter,
    Noise,
    Pad,
    Resize,
    Roll,
    Rotate,
    ScaleBetween,
    Shift,
    Transform,
    Transforms,
    UniformCrops,
)

ALL: dict[str, Transform] = {
    "pad": Pad(3),
    "jitter": Jitter(4),
    "shift": Shift(2),
    "scale": ScaleBetween(0.8, 1.2),
    "rotate": Rotate([-20, 20]),
    "flip": Flip(),
    "roll": Roll(3),
    "blur": Blur(0.5, 1.0),
    "noise": Noise(0.1),
    "color": ColorShift(),
    "copies": Copies(2),
    "crops": UniformCrops(2, size=(8, 12)),
    "resize": Resize((9, 17)),
}


@pytest.mark.parametrize("name", ALL)
def test_the_canvas_is_as_large_as_was_told(name: str) -> None:
    transforms = Transforms({name: ALL[name]})
    changed = transforms(torch.rand(2, 3, 14, 22), torch.rand(2, transforms.draws))
    assert changed.shape[2:] == tuple(np.broadcast_to(transforms.size((14, 22)), 2))
    assert len(changed) == 2 * transforms.copies
    assert transforms.pixels((14, 22)) == changed[0, 0].numel() * transforms.copies


@pytest.mark.parametrize("name", [name for name in ALL if name != "noise"])
def test_all_frames_of_a_film_are_changed_alike(name: str) -> None:
    transforms = Transforms({name: ALL[name]})
    films, draws = torch.rand(2, 3, 4, 14, 22), torch.rand(2, transforms.draws)
    changed = transforms(films, draws)
    for at in range(4):
        torch.testing.assert_close(changed[:, :, at], transforms(films[:, :, at], draws))


def test_noise_differs_from_frame_to_frame() -> None:
    transforms = Transforms({"noise": ALL["noise"]})
    noise = transforms(torch.zeros(2, 3, 4, 5, 6), torch.rand(2, 2))
    assert noise.shape == (2, 3, 4, 5, 6)
    assert (noise[:, :, 0] - noise[:, :, 1]).abs().min() > 0


def test_recipes_and_the_normalization_in_a_resampling_hold_for_films() -> None:
    transforms, normalization = chain(), Normalization((0.4, 0.5), (0.2, 0.3), axes=3)
    films, draws = torch.rand(1, 2, 3, 40, 52), torch.rand(1, 1, transforms.draws)
    together = DrawnTransforms(transforms, draws)(films, 0, normalization=normalization)
    apart = normalization(DrawnTransforms(transforms, draws)(films, 0))
    torch.testing.assert_close(together, apart, atol=1e-4, rtol=1e-4)
    assert transforms.size((3, 40, 52)) == tuple(together.shape[2:])


def test_an_oblong_picture_is_moved_as_a_square_around_it_is() -> None:
    picture = torch.rand(1, 1, 20, 44)
    square = torch.full((1, 1, 44, 44), 0.5)
    square[:, :, 12:32] = picture
    turn = Transforms({"pad": Pad(0), "turn": Rotate([17.0])})
    draws = torch.zeros(1, turn.draws)
    torch.testing.assert_close(turn(picture, draws), turn(square, draws)[:, :, 12:32], atol=1e-5, rtol=0)


def test_crops_are_shares_of_their_own_side() -> None:
    picture = torch.linspace(0, 1, 40).expand(1, 1, 20, 40)
    crops = UniformCrops(1, size=(10, 20), center_std=None, low=0.5, high=0.5)
    found = crops(picture, torch.tensor([[0.0, 0.0, 0.0]]))  # the left half
    assert found.shape == (1, 1, 10, 20)
    torch.testing.assert_close(found[0, 0, 0], picture[0, 0, 0, :20], atol=0.03, rtol=0)


def test_the_shorter_side_must_be_longer_than_a_jitter() -> None:
    assert_refused(lambda: Jitter(20).canvas((20, 40)), "jitter.pixels", 20, "")
    assert_refused(
        lambda: Resize((3,)),
        "resize.size",
        (3,),
        "px such as 224, [36,64] as height and width, or [40,36,64] as frames, height and width",
    )
