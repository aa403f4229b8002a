"""Pictures of pixels: their colors, bounds and spaces, against their formulas and OpenCV."""

import itertools
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from pictures import MEAN, STD, generators, lucid_matrix
from refusals import assert_refused

from featviz.images.init import Normal, Uniform
from featviz.images.pixel import BOUNDS, COLORS, EDGE, SPACES, PixelImage

INIT = Uniform(0.2, 0.8)


def of(values: tuple[float, ...], channels: int) -> tuple[float, ...]:
    return (values * 2)[:channels]


def pixel(size: int, *seeds: int, channels: int = 3, **kwargs: object) -> PixelImage:
    init = kwargs.pop("init", INIT)
    return PixelImage(size, generators(*seeds), of(MEAN, channels), of(STD, channels), init, **kwargs)


PIECES = list(itertools.product(COLORS, BOUNDS, SPACES))


@pytest.mark.parametrize(("color", "bound", "space"), PIECES)
def test_pixel_pictures_start_as_drawn_and_survive_an_empty_projection(color: str, bound: str, space: str) -> None:
    image = pixel(9, 4, 5, color=color, bound=bound, space=space)
    drawn = torch.stack([INIT((3, 9, 9), g) for g in generators(4, 5)])
    torch.testing.assert_close(image().detach(), drawn, atol=1e-5, rtol=0)
    image.project(lambda pictures: pictures)
    torch.testing.assert_close(image().detach(), drawn, atol=2e-5, rtol=0)
    image.project(lambda pictures: 1 - pictures)
    torch.testing.assert_close(image().detach(), 1 - drawn, atol=2e-5, rtol=0)


@pytest.mark.parametrize(("color", "bound", "space"), PIECES)
def test_pixel_values_become_pictures_by_the_formula(color: str, bound: str, space: str) -> None:
    image = pixel(5, 0, 1, color=color, bound=bound, space=space)
    with torch.no_grad():
        image.values.normal_(0, 2, generator=torch.Generator().manual_seed(0))
    expected = image.values.detach().double().numpy()
    if space == "model":
        expected = expected * np.reshape(STD, (3, 1, 1)) + np.reshape(MEAN, (3, 1, 1))
    if color == "decorrelated":
        expected = np.einsum("rc,nchw->nrhw", lucid_matrix(), expected)
    finish = {"sigmoid": lambda x: 1 / (1 + np.exp(-x)), "clip": lambda x: x.clip(0, 1), "none": lambda x: x}
    np.testing.assert_allclose(image().detach(), finish[bound](expected), atol=1e-5)


def test_in_the_models_space_the_values_are_what_the_network_sees() -> None:
    image = pixel(6, 0, bound="none", space="model")
    seen = (image() - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)
    torch.testing.assert_close(seen, image.values)


@pytest.mark.parametrize(("old", "new"), [(8, 12), (56, 67), (9, 27)])
def test_pixel_upscaling_equals_opencvs_bicubic(old: int, new: int) -> None:
    image = pixel(old, 0, 1, bound="none")
    expected = [
        cv2.resize(picture.transpose(1, 2, 0), (new, new), interpolation=cv2.INTER_CUBIC).transpose(2, 0, 1)
        for picture in image().detach().numpy()
    ]
    image.resize(new)
    np.testing.assert_allclose(image().detach(), expected, atol=1e-5)


def test_clip_drops_only_what_leads_further_outside() -> None:
    image = pixel(2, 0, channels=1, bound="clip")
    values = torch.tensor([[-0.5, 1.5], [0.25, 1.0]])
    for direction, expected in ((1.0, [[0.0, 1.0], [1.0, 1.0]]), (-1.0, [[-1.0, 0.0], [-1.0, -1.0]])):
        image.values.data = values.view(1, 1, 2, 2).clone()
        image.values.grad = None
        (direction * image()).sum().backward()
        assert torch.equal(image.values.grad[0, 0], torch.tensor(expected))
    assert torch.equal(image()[0, 0], values.clamp(0, 1))


def test_sigmoid_pictures_move_starts_off_the_edge() -> None:
    pictures = pixel(8, 0, init=Uniform(0.0, 0.0))()
    torch.testing.assert_close(pictures, torch.full_like(pictures, EDGE))
    assert pixel(8, 0, init=Normal(0.5, 3.0))().isfinite().all()


@pytest.mark.parametrize("channels", [1, 4])
@pytest.mark.parametrize("bound", BOUNDS)
@pytest.mark.parametrize("space", SPACES)
def test_pixel_pictures_of_one_and_four_channels(channels: int, bound: str, space: str) -> None:
    image = pixel(6, 2, channels=channels, bound=bound, space=space)
    assert image().shape == (1, channels, 6, 6)
    torch.testing.assert_close(image().detach()[0], INIT((channels, 6, 6), generators(2)[0]), atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("settings", "setting", "got", "right"),
    [
        ({"color": "rbg"}, "image.color", "rbg", "rgb"),
        ({"bound": "sigmod"}, "image.bound", "sigmod", "sigmoid"),
        ({"bound": None}, "image.bound", None, "none"),
        ({"space": "pixels"}, "image.space", "pixels", "picture"),
        ({"channels": 1, "color": "decorrelated"}, "image.color", "decorrelated", "image.color=rgb"),
    ],
)
def test_pixels_that_cannot_be_built(settings: dict[str, Any], setting: str, got: object, right: str) -> None:
    assert_refused(lambda: pixel(4, 0, **settings), setting, got, right)
