"""Second networks, and pictures fitted to them."""

import numpy as np
import pytest
import torch
from pictures import random_pictures
from PIL import Image
from refusals import assert_refused
from torch import Tensor, nn

from featviz.metrics.judges import Judge, check_channels, fitted
from featviz.models.model import Model


def model(channels: int = 3, size: int = 24, classes: int = 4) -> Model:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = nn.Sequential(
            nn.Conv2d(channels, 6, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, classes)
        )
    return Model("judge", network, (0.4,) * channels, (0.2,) * channels, size, "random")


def by_pillow(picture: Tensor, size: int) -> np.ndarray:
    """Each channel resized by Pillow, which takes all pixels into account that a new one covers."""
    images = [Image.fromarray(channel.numpy(), "F") for channel in picture]
    return np.stack([np.asarray(image.resize((size, size), Image.Resampling.BILINEAR)) for image in images])


@pytest.mark.parametrize("size", [16, 40, 97])
def test_pictures_of_any_size_are_fitted_without_aliasing(size: int) -> None:
    pictures = random_pictures(2, size)
    expected = np.stack([by_pillow(picture, 24) for picture in pictures])
    assert fitted(pictures, model()).numpy() == pytest.approx(expected, abs=1e-5)


def test_gray_and_colors_are_shown_to_each_other() -> None:
    gray, colors = random_pictures(2, 24, 1), random_pictures(2, 24)
    assert torch.equal(fitted(gray, model()), gray.expand(-1, 3, -1, -1))
    luma = np.einsum("nchw,c->nhw", colors.numpy(), [0.299, 0.587, 0.114])[:, None]
    assert fitted(colors, model(1)).numpy() == pytest.approx(luma, abs=1e-6)


@pytest.mark.parametrize(("channels", "taken"), [(4, 3), (3, 4), (2, 1), (1, 4)])
def test_other_channels_are_refused(channels: int, taken: int) -> None:
    assert_refused(lambda: check_channels(channels, model(taken)), "evidence.judges", "judge", "")


def test_a_judge_says_what_its_network_says_however_many_pictures_there_are() -> None:
    pictures, judged = random_pictures(37, 40), model()
    with torch.no_grad():
        expected = model().network((fitted(pictures, judged) - 0.4) / 0.2)
    judge = Judge(judged)
    assert (judge.layers, judge.class_count) == (("0", "1", "2", "logits"), 4)
    assert judge.logits(pictures).numpy() == pytest.approx(expected.numpy(), abs=1e-5)
    assert judge.logits(pictures[5:6])[0].numpy() == pytest.approx(expected[5].numpy(), abs=1e-5)


def test_a_network_without_stages_is_asked_for_its_layers_and_one_without_classes_for_none() -> None:
    plain = Model(
        "plain", nn.Sequential(nn.Conv2d(3, 6, 3), nn.ReLU(), nn.Conv2d(6, 4, 3)), (0.5,), (0.5,), 24, "random"
    )
    judge, pictures = Judge(plain), random_pictures(3, 24)
    assert (judge.layers, judge.class_count) == (("0", "1", "2"), 0)
    found = judge.responses(pictures)
    assert list(found) == ["0", "1", "2"]
    with torch.no_grad():
        maps = plain.network((pictures - 0.5) / 0.5)
    expected = torch.stack([maps.mean((2, 3)), maps.amax((2, 3))], 1)
    torch.testing.assert_close(found["2"], expected, rtol=1e-4, atol=1e-5)
