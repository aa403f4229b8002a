from collections.abc import Callable

import numpy as np
import pytest
import torch
from refusals import assert_refused
from torchmetrics.functional.image import total_variation

from featviz.optim.regularizers import LpNorm, TotalVariation, TotalVariationBeta, VariationNorm

SHAPES = [(3, 3, 8, 8), (2, 1, 7, 9), (1, 4, 5, 5)]
PENALTIES = {
    "l2": LpNorm(2.0),
    "l1": LpNorm(0.3, p=1),
    "l6": LpNorm(1.0, p=6, center=0.0),
    "l1.5": LpNorm(1.0, p=1.5, center=0.2),
    "tv": TotalVariation(0.7),
    "tv beta 2": TotalVariationBeta(0.7),
    "tv beta 1": TotalVariationBeta(0.7, beta=1),
    "tv beta 1.5": TotalVariationBeta(0.7, beta=1.5),
    "variation norm": VariationNorm(0.7),
}


def pictures(shape: tuple[int, ...]) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("penalty", [p for p in PENALTIES.values() if isinstance(p, LpNorm)], ids=str)
def test_norms_equal_numpy(shape: tuple[int, ...], penalty: LpNorm) -> None:
    x = pictures(shape)
    expected = penalty.weight * (np.abs(x.double().numpy() - penalty.center) ** penalty.p).mean((1, 2, 3))
    np.testing.assert_allclose(penalty(x), expected, rtol=1e-5)


@pytest.mark.parametrize("shape", SHAPES)
def test_total_variation_equals_torchmetrics(shape: tuple[int, ...]) -> None:
    x = pictures(shape)
    expected = 0.7 * total_variation(x, reduction="none") / x[0].numel()
    torch.testing.assert_close(TotalVariation(0.7)(x), expected)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("beta", [1.0, 1.5, 2.0, 3.0])
def test_total_variation_to_a_power_equals_numpy(shape: tuple[int, ...], beta: float) -> None:
    x = pictures(shape)
    picture = x.double().numpy()
    across = np.diff(picture, axis=3, append=picture[..., -1:])
    down = np.diff(picture, axis=2, append=picture[..., -1:, :])
    expected = 0.7 * ((across**2 + down**2) ** (beta / 2)).mean((1, 2, 3))
    np.testing.assert_allclose(TotalVariationBeta(0.7, beta)(x), expected, rtol=1e-4)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_variation_norm_equals_numpy(shape: tuple[int, ...]) -> None:
    x = pictures(shape).double().numpy()
    moved = ((0, 1), (1, 0), (1, 1), (1, -1))
    expected = np.zeros(shape[0])
    for down, right in moved:
        pairs = [
            (x[:, :, i + down, j + right] - x[:, :, i, j]) ** 2
            for i in range(shape[2] - down)
            for j in range(shape[3])
            if 0 <= j + right < shape[3]
        ]
        expected += np.sqrt(np.sum(pairs, 0)).mean(1)
    np.testing.assert_allclose(VariationNorm(0.5)(torch.from_numpy(x)), 0.5 * expected, rtol=1e-6)


@pytest.mark.parametrize("name", PENALTIES)
def test_each_picture_has_a_number_of_its_own(name: str) -> None:
    x = pictures((3, 3, 8, 8))
    before = PENALTIES[name](x)
    x[1] = torch.inf
    after = PENALTIES[name](x)
    assert after.shape == (3,)
    assert torch.equal(after[[0, 2]], before[[0, 2]])
    torch.testing.assert_close(PENALTIES[name](x[:1]), before[:1])


@pytest.mark.parametrize("name", PENALTIES)
def test_a_picture_without_anything_to_punish_costs_nothing_and_its_gradient_is_finite(name: str) -> None:
    x = torch.full((2, 3, 6, 6), getattr(PENALTIES[name], "center", 0.5), requires_grad=True)
    penalties = PENALTIES[name](x)
    penalties.sum().backward()
    torch.testing.assert_close(penalties, torch.zeros(2), atol=1e-9, rtol=0)
    assert torch.equal(x.grad, torch.zeros_like(x))


@pytest.mark.parametrize(
    ("build", "setting"),
    [
        (lambda: LpNorm(1.0, p=0.5), "regularizers.lp.p"),
        (lambda: TotalVariationBeta(1.0, beta=0.5), "regularizers.total_variation_beta.beta"),
    ],
)
def test_powers_below_one_are_refused(build: Callable[[], object], setting: str) -> None:
    assert_refused(build, setting, 0.5, "1 or more")


@pytest.mark.parametrize("shape", [(2, 3, 4, 5, 6), (1, 1, 7, 3, 8)])
def test_films_vary_over_time_too(shape: tuple[int, ...]) -> None:
    films = pictures(shape)
    film = films.double().numpy()
    steps = [np.diff(film, axis=axis) for axis in (4, 3, 2)]
    size = film[0].size
    expected = sum(np.abs(step).reshape(shape[0], -1).sum(1) for step in steps) / size
    np.testing.assert_allclose(TotalVariation(1.0)(films), expected, rtol=1e-5)
    whole = [np.diff(film, axis=axis, append=film.take([-1], axis)) ** 2 for axis in (4, 3, 2)]
    np.testing.assert_allclose(TotalVariationBeta(1.0)(films), sum(whole).mean((1, 2, 3, 4)), rtol=1e-4)
    still = films[:, :, :1].expand(*shape)
    frame = VariationNorm(1.0)(still[:, :, 0])
    torch.testing.assert_close(VariationNorm(1.0)(still), frame * shape[2] ** 0.5)
    torch.testing.assert_close(LpNorm(1.0)(still), LpNorm(1.0)(still[:, :, 0]))
