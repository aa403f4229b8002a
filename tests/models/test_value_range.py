"""Networks whose values are no colors: a range, one for each channel, or no bounds."""

from functools import partial

import pytest
import torch
from refusals import refusal_of
from torch import Tensor, nn

from featviz.images import CppnImage, FourierImage, LaplacianImage, PixelImage
from featviz.images.base import Image
from featviz.images.init import Normal
from featviz.models.backbone import Backbone
from featviz.models.model import Model
from featviz.models.value_range import Range

MEAN, STD = (0.5, 20.0), (2.0, 5.0)
PICTURES = torch.rand(3, 2, 16, 16, generator=torch.Generator().manual_seed(0))


def model(values: Range = None, **more: object) -> Model:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = nn.Sequential(nn.Conv2d(2, 4, 5))
    return Model("two channels", network, MEAN, STD, 16, range=values, **more)


def responses(of: Model, pictures: Tensor) -> Tensor:
    return Backbone(of, ["0"])(pictures)["0"]


def by_hand(values: Tensor) -> Tensor:
    """What the network answers to values of its own domain."""
    mean, std = (torch.tensor(numbers).view(1, 2, 1, 1) for numbers in (MEAN, STD))
    return model().network((values - mean) / std)


@pytest.mark.parametrize(
    ("values", "low", "high"),
    [([-3, 7], (-3, -3), (7, 7)), ([[-0.6, 6.2], [0, 100]], (-0.6, 0), (6.2, 100)), ("none", (0, 0), (1, 1))],
)
def test_pictures_in_the_unit_stand_for_values_of_the_range(values: Range, low: tuple, high: tuple) -> None:
    least, most = (torch.tensor(ends, dtype=torch.float32).view(1, 2, 1, 1) for ends in (low, high))
    torch.testing.assert_close(
        responses(model(values), PICTURES), by_hand(least + PICTURES * (most - least)), atol=1e-4, rtol=1e-4
    )


def test_without_a_range_values_are_those_of_a_picture() -> None:
    torch.testing.assert_close(responses(model(), PICTURES), by_hand(PICTURES), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ([-1, 1], "for [0, 1]; the network's own values go from -1 to 1"),
        ([[0, 1], [-2, 2]], "the network's own values go from 0 to 1, from -2 to 2"),
        ("none", "values without bounds"),
    ],
)
def test_a_range_is_told_for_each_channel(values: Range, told: str) -> None:
    assert model(values).describe_input().endswith(told)


@pytest.mark.parametrize(
    "values", [[1, 0], [2, 2], [[0, 1], [3, 1]], [0, 1, 2], [], "open", [["a", "b"]], [[0, 1]] * 3]
)
def test_what_is_no_range_is_refused(values: Range) -> None:
    assert refusal_of(lambda: model(values)).setting == "model.range"


def test_a_range_and_a_scale_contradict_each_other() -> None:
    assert refusal_of(lambda: model([0, 2], scale=255)).setting == "model.scale"


GENERATORS = [torch.Generator().manual_seed(seed) for seed in (0, 1)]
IMAGES = {
    "fourier": partial(FourierImage, sd=1.0),
    "laplacian": partial(LaplacianImage, sd=1.0),
    "pixel": partial(PixelImage, init=Normal(20, 30), bound="none"),
}


@pytest.mark.parametrize("name", IMAGES)
def test_pictures_without_bounds_leave_the_unit_about_the_datas_mean(name: str) -> None:
    image = IMAGES[name](size=32, generators=GENERATORS, mean=MEAN, std=STD)
    image.unbound(MEAN, STD)
    pictures = image()
    assert pictures.min() < 0 < 1 < pictures.max()
    if name != "pixel":
        deviations = (pictures - torch.tensor(MEAN).view(1, 2, 1, 1)) / torch.tensor(STD).view(1, 2, 1, 1)
        assert deviations.mean().abs() < deviations.std()


@pytest.mark.parametrize(
    "image",
    [
        partial(FourierImage, rescale=True),
        CppnImage,
        partial(PixelImage, init=Normal(), bound="sigmoid"),
        partial(PixelImage, init=Normal(), bound="clip"),
    ],
)
def test_pictures_that_have_bounds_do_not_fit_values_without(image: type[Image]) -> None:
    built = image(size=16, generators=GENERATORS, mean=MEAN, std=STD)
    assert refusal_of(lambda: built.unbound(MEAN, STD)).setting in ("image", "image.bound")
