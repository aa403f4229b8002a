import numpy as np
import pytest
import torch
from pictures import drawn, random_pictures
from scipy.stats import kstest, norm
from torch import Tensor

from featviz.transforms import Blur, ColorShift, Copies, Flip, Noise, NormalCrops, Resize, Roll
from featviz.transforms.base import generators, normals

STEPS = {
    "noise": Noise(0.1, 0.05),
    "fading noise": Noise(0.5, end=0.0),
    "channel noise": Noise(0.5, per_channel=True),
    "color shift": ColorShift(),
    "copies": Copies(3),
    "flip": Flip(),
    "blur": Blur(0.5, 2.0),
    "even blur": Blur(1.0, 1.1, kernel=10),
    "roll": Roll(5),
    "resize": Resize(17),
    "crops": NormalCrops(4, 9),
}


def pictures(count: int = 4, size: int = 24, channels: int = 3) -> Tensor:
    return random_pictures(count, size, channels)


@pytest.mark.parametrize("name", STEPS)
def test_a_picture_gets_the_same_alone_and_beside_others(name: str) -> None:
    step, x = STEPS[name], pictures()
    d = drawn(4, step.draws)
    together = step(x, d, 0.3)
    assert together.shape == (4 * step.copies, 3, step.canvas(24), step.canvas(24))
    for at in range(4):
        alone = step(x[at : at + 1], d[at : at + 1], 0.3)
        torch.testing.assert_close(alone, together[at::4], atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("name", STEPS)
def test_nothing_is_random_but_the_draws(name: str) -> None:
    step, x = STEPS[name], pictures(1).expand(2, -1, -1, -1)
    d = drawn(2, step.draws)
    torch.manual_seed(5)
    one = step(x, d)
    torch.manual_seed(6)
    assert torch.equal(step(x, d), one)
    if step.draws:
        assert not torch.equal(one[0], one[1])


@pytest.mark.parametrize("name", STEPS)
@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_the_kind_of_number_stays(name: str, dtype: torch.dtype) -> None:
    step = STEPS[name]
    x, d = pictures().to(dtype), drawn(4, step.draws)
    changed = step(x, d)
    assert changed.dtype == dtype
    usual = step(x.float(), d)
    torch.testing.assert_close(changed.float(), usual, atol=1e-5 if dtype == torch.float64 else 0.1, rtol=0.05)


@pytest.mark.parametrize("name", STEPS)
def test_gradients_flow(name: str) -> None:
    step = STEPS[name]
    x = pictures(2, 14).double().requires_grad_()
    d = drawn(2, step.draws)
    assert torch.autograd.gradcheck(lambda p: step(p, d, 0.5), x, fast_mode=True)


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("name", STEPS)
def test_any_number_of_channels(name: str, channels: int) -> None:
    step = STEPS[name]
    assert step(pictures(2, 24, channels), drawn(2, step.draws)).shape[1] == channels


def test_normals_are_the_inverse_of_the_normal_distribution_and_finite_at_the_ends() -> None:
    d = drawn(1, 50_000)[0]
    np.testing.assert_allclose(normals(d), norm.ppf(d.double().numpy() + 2**-25), atol=1e-5)
    assert kstest(normals(d).numpy(), norm.cdf).pvalue > 0.01
    ends = normals(torch.tensor([0.0, 1 - 2**-24]))
    assert ends.isfinite().all()
    assert ends[0] == -ends[1]


def test_generators_differ_where_either_draw_does() -> None:
    d = torch.tensor([[0.25, 0.5], [0.25, 0.5 + 2**-24], [0.25 + 2**-24, 0.5], [0.25, 0.5]])
    seeds = [generator.initial_seed() for generator in generators(d)]
    assert seeds[0] == seeds[3]
    assert len(set(seeds)) == 3
