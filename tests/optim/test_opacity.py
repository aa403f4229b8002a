"""How much each pixel has mattered, against sums made by NumPy."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from fitting import ADAM, OLAH, FailsFrom, backbone, fit
from lightning import Callback, Trainer
from PIL import Image
from program import SHORT, made
from torch import Tensor

from featviz.images.fourier import FourierImage
from featviz.images.maco import MacoImage
from featviz.optim.method import Method
from featviz.optim.opacity import accumulate_magnitude, opacity_from_gradients
from featviz.optim.schedules import Schedule, Stage, constant
from featviz.optim.visualizer import FilterVisualizer
from featviz.results.folder import read_rows
from featviz.transforms import Transforms

STILL = partial(torch.optim.SGD, lr=1e-12)


def module(method: Method, *filters: int) -> FilterVisualizer:
    return FilterVisualizer(backbone(), method, "4", list(filters))


def gradients(shape: tuple[int, ...], seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def by_numpy(seen: np.ndarray) -> np.ndarray:
    """Opaque from the 80th percentile on."""
    return np.clip(seen / np.percentile(seen, 80, axis=(1, 2), keepdims=True), 0, 1)[:, None]


def test_magnitudes_of_gradients_are_added_up() -> None:
    given = [gradients((2, 3, 12, 12), seed) for seed in range(5)]
    seen = None
    for gradient in given:
        seen = accumulate_magnitude(seen, gradient)
    expected = sum(np.abs(gradient.numpy()).mean(1) for gradient in given)
    np.testing.assert_allclose(seen, expected, rtol=1e-5)
    np.testing.assert_allclose(opacity_from_gradients(seen), by_numpy(expected), atol=0.01)


def test_a_fifth_of_the_pixels_is_opaque() -> None:
    opacity = opacity_from_gradients(gradients((3, 50, 50)).abs())
    assert opacity.shape == (3, 1, 50, 50)
    assert (opacity == 1).float().mean().item() == pytest.approx(0.2, abs=0.001)
    assert (opacity.min() >= 0, opacity.max() <= 1) == (True, True)


@pytest.mark.parametrize("scale", [1e-12, 1.0, 1e12])
def test_the_scale_of_the_gradient_does_not_matter(scale: float) -> None:
    seen = gradients((1, 20, 20)).abs()
    torch.testing.assert_close(opacity_from_gradients(scale * seen), opacity_from_gradients(seen))


def test_few_pixels_and_none() -> None:
    seen = torch.zeros(2, 10, 10)
    seen[0, 3, 4], seen[0, 3, 5] = 2.0, 1.0
    few, none = opacity_from_gradients(seen)
    assert (few[0, 3, 4].item(), few[0, 3, 5].item(), few.sum().item()) == (1.0, 0.5, 1.5)
    assert not none.any()


@pytest.mark.parametrize(("old", "new"), [(12, 24), (10, 15), (21, 30)])
def test_upscaling_spreads_what_was_seen_and_keeps_its_sum(old: int, new: int) -> None:
    seen = gradients((2, old, old)).abs()
    grown = accumulate_magnitude(seen, torch.zeros(2, 3, new, new))
    assert grown.shape == (2, new, new)
    torch.testing.assert_close(grown.sum((1, 2)), seen.sum((1, 2)), rtol=0.05, atol=0)


def test_what_is_not_finite_counts_as_nothing() -> None:
    gradient = torch.ones(2, 3, 4, 4)
    gradient[1, 0, 2, 2] = torch.nan
    gradient[1, 1, 3, 3] = torch.inf
    seen = accumulate_magnitude(torch.ones(2, 4, 4), gradient)
    assert torch.equal(seen[0], torch.full((4, 4), 2.0))
    assert (seen[1, 2, 2].item(), seen[1, 3, 3].item(), seen[1].sum().item()) == (1.0, 1.0, 30.0)


class Gradients(Callback):
    """Keeps each step's gradient of the pictures, found anew."""

    def __init__(self) -> None:
        self.gradients: list[Tensor] = []

    def on_train_batch_start(self, _trainer: Trainer, pl_module: FilterVisualizer, _batch: int, step: int) -> None:
        with torch.enable_grad():
            pictures = pl_module.image().detach().requires_grad_()
            maps = pl_module.backbone(pl_module.method.transforms(pictures, pl_module.draws[:, step]))
            (gradient,) = torch.autograd.grad(pl_module.objective(maps).sum(), pictures)
        self.gradients.append(gradient)


@pytest.mark.parametrize("image", [FourierImage, MacoImage])
def test_a_run_sums_the_gradients_of_its_pictures(image: object) -> None:
    watch = Gradients()
    run = module(Method(image, constant(20, 6), ADAM, transforms=Transforms(OLAH), opacity=True), 0, 3)
    fit(run, watch)
    expected = sum(np.abs(gradient.numpy()).mean(1) for gradient in watch.gradients)
    np.testing.assert_allclose(run.gradient_magnitude, expected, rtol=1e-3, atol=1e-6 * expected.max())
    np.testing.assert_allclose(run.opacity(), by_numpy(expected), atol=0.02)


def test_a_growing_run_weighs_its_stages_alike() -> None:
    run = module(Method(FourierImage, Schedule((Stage(16, 4), Stage(32, 4))), STILL, opacity=True), 0)
    fit(run)
    small = module(Method(FourierImage, constant(16, 4), STILL, opacity=True), 0)
    fit(small)
    share = small.gradient_magnitude.sum() / run.gradient_magnitude.sum()
    assert run.gradient_magnitude.shape == (1, 32, 32)
    assert 0.25 < share < 0.75


def test_a_failed_picture_keeps_what_was_seen_before_and_the_others_theirs() -> None:
    method = Method(FourierImage, constant(20, 6), ADAM, opacity=True)
    run, usual = module(method, 0, 1, 2), module(method, 0, 1, 2)
    fit(run, FailsFrom(2, torch.nan))
    fit(usual)
    assert run.failed.tolist() == [False, True, False]
    assert run.opacity().isfinite().all()
    torch.testing.assert_close(run.opacity()[[0, 2]], usual.opacity()[[0, 2]])


def test_without_the_setting_nothing_is_kept() -> None:
    run = module(Method(FourierImage, constant(16, 2), ADAM), 0)
    fit(run)
    assert run.opacity() is None


@pytest.mark.end_to_end
def test_a_picture_without_any_gradient_is_transparent_and_a_table_says_so() -> None:
    breaks = ("model.target=tiny_networks.Breaks", "layer=1", "filters=[0,1]", "schedule.size=48", "schedule.steps=2")
    folder = made("model=own", "model.weights=random", "model.size=48", *breaks, "opacity=true", "restarts=0")
    rows = read_rows(folder)
    assert [row["status"] for row in rows] == ["ok", "nan"]
    assert alpha(folder / rows[0]["image"]).max() == 255


@pytest.mark.end_to_end
def test_the_png_has_the_opacity_as_alpha_channel() -> None:
    folder = made(*SHORT, "opacity=true", "image=maco")
    for row in read_rows(folder):
        found = alpha(folder / row["image"])
        assert found.shape == (40, 40)
        assert (found == 255).mean() == pytest.approx(0.2, abs=0.02)


def alpha(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        assert image.mode == "RGBA"
        return np.asarray(image.getchannel("A"))
