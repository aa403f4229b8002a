"""Pictures of a fixed norm, in what the network sees or in the unit of [0, 1]."""

from functools import partial

import numpy as np
import pytest
import torch
from configs import chosen
from fitting import ADAM, MEAN, STD, Watch, backbone, fit
from refusals import refusal_of

from featviz.images import PixelImage
from featviz.images.init import Normal
from featviz.objectives import Channel
from featviz.optim import Clip, Norm, TimeBlur
from featviz.optim.method import Method
from featviz.optim.norm import OWN
from featviz.optim.schedules import Schedule, Stage
from featviz.optim.visualizer import FilterVisualizer

MEANS, STDS = (torch.tensor(numbers).view(1, 3, 1, 1) for numbers in (MEAN, STD))
FREE = partial(PixelImage, init=Normal(0.5, 0.05), bound="none")
PICTURES = torch.rand(2, 3, 12, 12, generator=torch.Generator().manual_seed(2))


@pytest.mark.parametrize("p", [1, 2])
@pytest.mark.parametrize("rho", [3.0, 100.0])
@pytest.mark.parametrize("about", [0.0, 0.3, [0.1, 0.2, 0.3]])
def test_the_norm_about_a_number_is_numpys(p: int, rho: float, about: float | list[float]) -> None:
    scaled = Norm(rho, p, about)(PICTURES).double().numpy()
    center = np.broadcast_to(np.reshape(about, (-1, 1, 1)), (3, 1, 1))
    for before, after in zip(PICTURES.double().numpy() - center, scaled - center, strict=True):
        assert np.linalg.norm(after.ravel(), p) == pytest.approx(rho, rel=1e-5)
        np.testing.assert_allclose(after, before * (after.ravel()[0] / before.ravel()[0]), atol=1e-4)


def test_a_blur_over_time_is_numpys() -> None:
    film = torch.rand(2, 3, 7, 4, 5, generator=torch.Generator().manual_seed(0))
    kernel = np.exp(-(np.arange(-2, 3) ** 2) / (2 * 0.8**2))
    blurred = TimeBlur(0.8, 5)(film).numpy()
    for place in np.ndindex(2, 3, 4, 5):
        column = (*place[:2], slice(None), *place[2:])
        np.testing.assert_allclose(blurred[column], np.convolve(film[column], kernel / kernel.sum(), "same"), atol=1e-6)
    assert TimeBlur()(PICTURES) is PICTURES
    assert refusal_of(lambda: TimeBlur(kernel=4)).setting == "time_blur.kernel"


def test_the_norm_about_a_pictures_own_mean_keeps_that_mean() -> None:
    scaled = Norm(7.0, about=OWN)(PICTURES)
    torch.testing.assert_close(scaled.mean((2, 3)), PICTURES.mean((2, 3)))
    spread = (scaled - scaled.mean((2, 3), keepdim=True)).flatten(1).norm(dim=1)
    torch.testing.assert_close(spread, torch.full((2,), 7.0))


def test_with_at_most_smaller_pictures_stay() -> None:
    norms = PICTURES.flatten(1).norm(dim=1)
    assert torch.equal(Norm(1000.0, at_most=True)(PICTURES), PICTURES)
    torch.testing.assert_close(Norm(2.0, at_most=True)(PICTURES).flatten(1).norm(dim=1), torch.full((2,), 2.0))
    assert (norms > 2).all()


@pytest.mark.parametrize("p", [1, 2])
def test_without_a_number_it_is_the_norm_of_noise(p: int) -> None:
    noise = torch.randn(1, 3, 100, 100, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(Norm(p=p)(noise), noise, rtol=0.02, atol=0.01)


@pytest.mark.parametrize("space", ["model", "picture"])
def test_the_norm_is_taken_in_its_space(space: str) -> None:
    seen = Norm(5.0, space=space).applied(PICTURES, MEANS, STDS)
    seen = (seen - MEANS) / STDS if space == "model" else seen
    torch.testing.assert_close(seen.flatten(1).norm(dim=1), torch.full((2,), 5.0))


def test_clip_by_channel_is_numpys() -> None:
    low, high = [-0.5, 0.2, 0.0], [0.1, 0.3, 2.0]
    seen = Clip(low, high, space="model").applied(PICTURES, MEANS, STDS)
    values = ((PICTURES - MEANS) / STDS).numpy()
    expected = np.clip(values, np.reshape(low, (3, 1, 1)), np.reshape(high, (3, 1, 1)))
    np.testing.assert_allclose((seen - MEANS) / STDS, expected, atol=1e-5)


@pytest.mark.parametrize("names", [["norm", "clip"], ["clip", "norm"]])
def test_projections_are_applied_in_the_order_in_which_they_are_listed(names: list[str]) -> None:
    assert list(chosen(f"projections=[{','.join(names)}]").projections) == names
    pieces = {"norm": Norm(60.0), "clip": Clip(-1.0, 1.0, space="model")}
    method = Method(FREE, Schedule([Stage(24, 3)]), ADAM, Channel, projections={name: pieces[name] for name in names})
    module, watch = FilterVisualizer(backbone(), method, "4", [0, 1]), Watch()
    fit(module, watch)
    for pictures in watch.pictures:
        seen = (pictures - MEANS) / STDS
        norms, most = seen.flatten(1).norm(dim=1), seen.abs().amax((1, 2, 3))
        if names[-1] == "norm":
            torch.testing.assert_close(norms, torch.full((2,), 60.0), rtol=1e-4, atol=0)
        else:
            assert (most <= 1 + 1e-5).all()


@pytest.mark.parametrize(
    ("settings", "setting"),
    [
        ({"rho": -1.0}, "norm.rho"),
        ({"rho": 0.0}, "norm.rho"),
        ({"p": 3}, "norm.p"),
        ({"about": "mean"}, "norm.about"),
        ({"about": []}, "norm.about"),
        ({"about": ["a"]}, "norm.about"),
        ({"space": "pixels"}, "norm.space"),
        ({"every": 0}, "norm.every"),
    ],
)
def test_what_is_no_norm_is_refused(settings: dict, setting: str) -> None:
    assert refusal_of(lambda: Norm(**settings)).setting == setting


@pytest.mark.parametrize(("low", "high"), [(1.0, 0.0), ([0.0, 1.0, 0.0], 0.5), ([0.0, 0.0], [1.0, 1.0, 1.0])])
def test_a_range_whose_ends_are_turned_round_is_refused(low: object, high: object) -> None:
    assert refusal_of(lambda: Clip(low, high)).setting == "clip.low"


def test_numbers_for_other_channels_are_refused() -> None:
    assert refusal_of(lambda: Clip([0.0, 0.0], 1.0)(PICTURES)).setting == "clip.low"
    assert refusal_of(lambda: Norm(about=[0.0, 0.0])(PICTURES)).setting == "norm.about"
