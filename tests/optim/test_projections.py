from collections.abc import Callable
from functools import partial

import cv2
import numpy as np
import pytest
import torch
from fitting import MEAN, STD
from refusals import assert_refused
from scipy.ndimage import gaussian_filter

from featviz.optim.projections import (
    BoxBlur,
    Clip,
    Decay,
    GaussianBlur,
    NormBall,
    Projection,
    SmallContribution,
    SmallNorm,
)

MEANS, STDS = (torch.tensor(numbers).view(1, 3, 1, 1) for numbers in (MEAN, STD))


def pictures(channels: int = 3, size: int = 24) -> torch.Tensor:
    return torch.rand(2, channels, size, size, generator=torch.Generator().manual_seed(2))


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("sigma", [0.1, 0.5, 0.6, 1.0, 1.3, 3.0])
def test_gaussian_blur_equals_scipy(channels: int, sigma: float) -> None:
    x = pictures(channels)
    expected = gaussian_filter(x.double().numpy(), sigma, axes=(2, 3), mode="mirror", truncate=4)
    np.testing.assert_allclose(GaussianBlur(sigma)(x), expected, atol=1e-6)


@pytest.mark.parametrize("sigma", [0.5, 1.0, 3.0])
def test_gaussian_blur_with_repeated_edges_equals_scipy(sigma: float) -> None:
    x = pictures()
    expected = gaussian_filter(x.double().numpy(), sigma, axes=(2, 3), mode="reflect", truncate=4)
    np.testing.assert_allclose(GaussianBlur(sigma, repeat_edge=True)(x), expected, atol=1e-6)


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("width", [1, 3, 5, 9])
def test_box_blur_equals_opencv(channels: int, width: int) -> None:
    x = pictures(channels)
    expected = [
        [cv2.blur(channel, (width, width), borderType=cv2.BORDER_REFLECT_101) for channel in picture]
        for picture in x.double().numpy()
    ]
    np.testing.assert_allclose(BoxBlur(width)(x), expected, atol=1e-6)


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (-2.1, 2.6), (0.25, 0.3)])
def test_clip_equals_numpy(low: float, high: float) -> None:
    x = pictures() * 6 - 3
    np.testing.assert_array_equal(Clip(low, high)(x), np.clip(x.numpy(), np.float32(low), np.float32(high)))


@pytest.mark.parametrize("rho", [None, 3.0, 100.0])
def test_the_norm_ball_sets_the_norm_and_keeps_the_direction(rho: float | None) -> None:
    x = pictures() - 0.5
    x[1] = 0
    scaled = NormBall(rho)(x)
    assert np.linalg.norm(scaled[0]) == pytest.approx(rho or np.sqrt(3 * 24 * 24))
    np.testing.assert_allclose(scaled[0] / x[0], (scaled[0] / x[0]).mean(), rtol=1e-4)
    assert torch.equal(scaled[1], x[1])


def test_decay_takes_a_share_away() -> None:
    np.testing.assert_allclose(Decay(0.3)(pictures()), 0.7 * pictures().numpy(), rtol=1e-6)


@pytest.mark.parametrize("percentile", [0, 20, 50, 90, 100])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_pixels_of_small_norm_go_to_zero(channels: int, percentile: float) -> None:
    x = pictures(channels) - 0.4
    for picture, sparse in zip(x.numpy(), SmallNorm(percentile)(x), strict=True):
        norms = np.linalg.norm(picture, axis=0)
        expected = picture * (norms >= np.percentile(norms, percentile))
        np.testing.assert_array_equal(sparse, expected)


@pytest.mark.parametrize("percentile", [0, 20, 50, 90, 100])
def test_pixels_of_small_contribution_go_to_zero(percentile: float) -> None:
    x = pictures() - 0.4
    gradient = torch.randn(x.shape, generator=torch.Generator().manual_seed(3))
    for picture, g, sparse in zip(x.numpy(), gradient.numpy(), SmallContribution(percentile)(x, gradient), strict=True):
        contribution = np.abs((picture * g).sum(0))
        expected = picture * (contribution >= np.percentile(contribution, percentile))
        np.testing.assert_array_equal(sparse, expected)
    assert torch.equal(SmallContribution(percentile)(x), x)


def test_percentiles_of_more_pixels_than_torch_has_quantiles_for() -> None:
    x = torch.rand(1, 1, 4100, 4100, generator=torch.Generator().manual_seed(1))
    sparse = SmallNorm(50)(x)
    assert (sparse == 0).float().mean((1, 2, 3)).sub(0.5).abs().max() < 1e-5


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
@pytest.mark.parametrize(
    "projection", [Clip(), GaussianBlur(1.0), BoxBlur(3), NormBall(), Decay(0.1), SmallNorm(50)], ids=str
)
def test_the_kind_of_number_stays(projection: Projection, dtype: torch.dtype) -> None:
    assert projection(pictures().to(dtype)).dtype == dtype


@pytest.mark.parametrize(
    "kind", [NormBall, partial(Decay, 0.3), partial(SmallNorm, 60), partial(SmallContribution, 60)]
)
def test_zero_is_the_datas_mean_or_black(kind: Callable[..., Projection]) -> None:
    x, gradient = pictures(), torch.randn(2, 3, 24, 24, generator=torch.Generator().manual_seed(3))
    normalized = (x - MEANS) / STDS
    around_mean = kind(space="model")
    given = (normalized, gradient * STDS) if around_mean.needs_gradient else (normalized,)
    expected = around_mean(*given) * STDS + MEANS
    torch.testing.assert_close(around_mean.applied(x, MEANS, STDS, gradient), expected)
    around_black = kind(space="picture")
    given = (x, gradient) if around_black.needs_gradient else (x,)
    torch.testing.assert_close(around_black.applied(x, MEANS, STDS, gradient), around_black(*given))
    assert not torch.equal(around_black.applied(x, MEANS, STDS, gradient), expected)


@pytest.mark.parametrize(
    "projection", [Clip(), GaussianBlur(1.0), BoxBlur(3), NormBall(), Decay(0.1), SmallNorm(50)], ids=str
)
def test_pictures_do_not_meet(projection: object) -> None:
    x = pictures()
    before = projection(x)
    x[1] = torch.nan
    assert torch.equal(projection(x)[0], before[0])


@pytest.mark.parametrize("every", [1, 2, 4, 7])
@pytest.mark.parametrize("kind", [Clip, lambda every: GaussianBlur(1.0, every), lambda every: BoxBlur(3, every)])
def test_due_after_every_kth_step(kind: object, every: int) -> None:
    projection = kind(every=every)
    assert [step + 1 for step in range(30) if projection.due(step)] == list(range(every, 31, every))


@pytest.mark.parametrize(("every", "first"), [(4, 1), (1, 3), (3, 3), (2, 5)])
def test_due_from_a_first_step_on(every: int, first: int) -> None:
    projection = GaussianBlur(1.0, every, first)
    assert [step + 1 for step in range(30) if projection.due(step)] == list(range(first, 31, every))


@pytest.mark.parametrize(
    ("call", "setting", "got", "right"),
    [
        (lambda: GaussianBlur(1.0, first=0), "gaussian_blur.first", 0, "the number of a step, from 1, or null"),
        (lambda: GaussianBlur(10.0, repeat_edge=True)(pictures()), "blur", 40, ""),
        (lambda: Clip(1.0, 0.0), "clip.low", 1.0, ""),
        (lambda: Clip(0.5, 0.5), "clip.low", 0.5, ""),
        (lambda: Clip(every=0), "clip.every", 0, "1 (every step) or more"),
        (lambda: GaussianBlur(0.0), "gaussian_blur.sigma", 0.0, "a number above zero"),
        (lambda: GaussianBlur(1.0, every=-1), "gaussian_blur.every", -1, "1 (every step) or more"),
        (lambda: BoxBlur(4), "box_blur.width", 4, "an odd number of px"),
        (lambda: BoxBlur(-1), "box_blur.width", -1, "an odd number of px"),
        (lambda: BoxBlur(3, every=0), "box_blur.every", 0, "1 (every step) or more"),
        (lambda: NormBall(0.0), "norm_ball.rho", 0.0, "a number above zero, or null"),
        (lambda: NormBall(every=0), "norm_ball.every", 0, "1 (every step) or more"),
        (lambda: NormBall(space="modell"), "norm_ball.space", "modell", "model"),
        (lambda: Decay(1.5), "decay.rate", 1.5, "a number from 0 to 1"),
        (lambda: Decay(0.5, space="x"), "decay.space", "x", ""),
        (lambda: SmallNorm(101), "small_norm.percentile", 101, "a number from 0 to 100"),
        (lambda: SmallContribution(-1), "small_contribution.percentile", -1, "a number from 0 to 100"),
        (lambda: GaussianBlur(10.0)(pictures()), "blur", 40, ""),
    ],
)
def test_what_cannot_be_applied_is_refused(call: Callable[..., object], setting: str, got: object, right: str) -> None:
    assert_refused(call, setting, got, right)
