from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
import torch
from fitting import PIXELS, Watch, backbone, fit
from refusals import assert_refused
from scipy.ndimage import convolve, gaussian_filter
from torch import Tensor, nn

from featviz.images.fourier import FourierImage
from featviz.models.backbone import Backbone
from featviz.models.model import Model
from featviz.optim.gradients import (
    BlurGradient,
    BlurInputEachStep,
    ClipGradient,
    NormalizeGradient,
    ResidualGradient,
)
from featviz.optim.method import Method
from featviz.optim.schedules import constant
from featviz.optim.visualizer import FilterVisualizer

CHANGES = {"normalized": NormalizeGradient(), "clipped": ClipGradient(2.0), "blur": BlurGradient(1.3)}


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(4, 4, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv(x)


def gradients(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0)) * torch.tensor([1e-4, 1.0, 1e3]).view(
        3, *[1] * (len(shape) - 1)
    )


@pytest.mark.parametrize("shape", [(3, 3, 16, 16), (3, 3, 16, 9, 2), (3, 50)])
def test_normalized_divides_by_the_mean_magnitude(shape: tuple[int, ...]) -> None:
    g = gradients(*shape)
    values = g.double().numpy()
    expected = values / np.abs(values).reshape(3, -1).mean(1).reshape(3, *[1] * (len(shape) - 1))
    np.testing.assert_allclose(NormalizeGradient()(g), expected, rtol=1e-5)


@pytest.mark.parametrize("shape", [(3, 3, 16, 16), (3, 3, 16, 9, 2), (3, 50)])
@pytest.mark.parametrize("norm", [1e-3, 1.0, 1e9])
def test_clipped_is_torchs_clipping_of_each_picture(shape: tuple[int, ...], norm: float) -> None:
    g = gradients(*shape)
    for one, clipped in zip(g, ClipGradient(norm)(g), strict=True):
        alone = torch.nn.Parameter(torch.zeros_like(one))
        alone.grad = one.clone()
        torch.nn.utils.clip_grad_norm_(alone, norm)
        torch.testing.assert_close(clipped, alone.grad, rtol=1e-3, atol=0)  # torch adds 1e-6 to the norm


def test_blurred_equals_scipy() -> None:
    g = gradients(3, 3, 24, 24)
    expected = gaussian_filter(g.double().numpy(), 1.3, axes=(2, 3), mode="mirror", truncate=4)
    np.testing.assert_allclose(BlurGradient(1.3)(g), expected, rtol=1e-4, atol=1e-3)


def slightly_blurred(pictures: np.ndarray) -> np.ndarray:
    """By SciPy: 3 x 3 px, the center twice, without what is outside."""
    kernel = np.full((1, 1, 3, 3), 0.5)
    kernel[..., 1, 1] = 1
    counts = convolve(np.ones_like(pictures), kernel, mode="constant")
    return convolve(pictures, kernel, mode="constant") / counts


def test_steps_of_plain_ascent_move_towards_the_blur() -> None:
    start = torch.rand(3, 3, 12, 12, generator=torch.Generator().manual_seed(1))
    values = torch.nn.Parameter(start.clone())
    values.grad = BlurInputEachStep(0.4)(torch.zeros_like(values), values)
    torch.optim.SGD([values], lr=0.5).step()
    expected = 0.8 * start.double().numpy() + 0.2 * slightly_blurred(start.double().numpy())
    np.testing.assert_allclose(values.detach(), expected, atol=1e-6)


def test_a_blur_each_step_makes_smoother_pictures() -> None:
    def roughness(**changes: object) -> Tensor:
        method = Method(
            partial(PIXELS, bound="none"), constant(16, 10), partial(torch.optim.SGD, lr=1.0), gradients=changes
        )
        module = FilterVisualizer(backbone(), method, "4", [0, 1])
        fit(module)
        pictures = module.image().detach()
        return (pictures[..., 1:] - pictures[..., :-1]).square().mean((1, 2, 3))

    assert (roughness(blur=BlurInputEachStep(0.5)) < 0.5 * roughness()).all()


@pytest.mark.parametrize("name", CHANGES)
def test_a_gradient_does_not_depend_on_the_others_and_zero_stays_zero(name: str) -> None:
    g = gradients(3, 3, 16, 16)
    before = CHANGES[name](g)
    torch.testing.assert_close(CHANGES[name](g[:1]), before[:1])
    g[1], g[2] = torch.nan, 0
    after = CHANGES[name](g)
    assert torch.equal(after[0], before[0])
    assert torch.equal(after[2], torch.zeros_like(after[2]))


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("name", CHANGES)
def test_the_kind_of_number_stays(name: str, dtype: torch.dtype) -> None:
    g = gradients(3, 3, 16, 16).to(dtype)
    changed = CHANGES[name](g)
    assert changed.dtype == dtype
    assert changed.isfinite().all()


def test_a_step_of_normalized_gradients_moves_every_picture_as_far() -> None:
    watch = Watch()
    method = Method(
        partial(PIXELS, bound="none"),
        constant(16, 3),
        partial(torch.optim.SGD, lr=0.01),
        gradients={"normalized": NormalizeGradient()},
    )
    module = FilterVisualizer(backbone(), method, "4", [0, 1, 2])
    before = module.pictures()
    fit(module, watch)
    for after in watch.pictures:
        torch.testing.assert_close((after - before).abs().mean((1, 2, 3)), torch.full((3,), 0.01), rtol=0.02, atol=0)
        before = after


@pytest.mark.parametrize(("stride", "changed"), [(4, False), (16, False), (32, True), (64, True), (None, False)])
def test_residual_gradients_are_of_deep_layers(stride: int | None, changed: bool) -> None:
    context = ResidualGradient(0.4, from_stride=32)(stride)
    assert (context.share if context else None) == (0.4 if changed else None)
    assert ResidualGradient(1.0)(stride) is None


def test_steps_follow_residual_gradients_of_the_pass() -> None:
    def after(**changes: object) -> Tensor:
        method = Method(
            partial(PIXELS, bound="none"), constant(16, 1), partial(torch.optim.SGD, lr=1.0), gradients=changes
        )
        module = FilterVisualizer(residual, method, "1", [0, 1])
        before = module.pictures()
        fit(module)
        return module.pictures() - before

    residual = Backbone(Model("tiny", nn.Sequential(nn.Conv2d(3, 4, 3), Block()), size=16, weights="random"), ["1"])
    plain, none = after(), after(residual=ResidualGradient(0.0))
    assert (plain - none).abs().max() > 0.1 * none.abs().max()
    torch.testing.assert_close(after(residual=ResidualGradient(0.25)), none + 0.25 * (plain - none))
    shallow = after(residual=ResidualGradient(0.25, from_stride=2), clipped=ClipGradient(1e9))
    assert torch.equal(shallow, plain)


def test_a_blur_of_what_is_no_pixels_is_refused_before_any_work() -> None:
    method = Method(FourierImage, constant(16, 2), torch.optim.SGD, gradients={"blur": BlurGradient()})
    assert_refused(lambda: FilterVisualizer(backbone(), method, "4", [0]), "image", "FourierImage", "")


@pytest.mark.parametrize(
    ("call", "setting", "got", "right"),
    [
        (lambda: ClipGradient(0.0), "gradients.clipped.norm", 0.0, "a number above zero"),
        (lambda: ClipGradient(-1.0), "gradients.clipped.norm", -1.0, "a number above zero"),
        (lambda: BlurGradient(0.0), "gradients.blur.sigma", 0.0, "a number above zero"),
        (lambda: ResidualGradient(1.5), "gradients.residual.share", 1.5, "a number from 0 to 1"),
        (lambda: ResidualGradient(from_stride=0), "gradients.residual.from_stride", 0, "1 or more"),
    ],
)
def test_what_cannot_be_applied_is_refused(call: Callable[..., object], setting: str, got: object, right: str) -> None:
    assert_refused(call, setting, got, right)
