import numpy as np
import torch
from resampling import DEGREES, FACTORS, by_scipy, chain, pictures, shift, turn, zoom

from featviz.transforms import (
    Geometric,
    Pad,
    Rotate,
    Scale,
    Transforms,
    resample,
)


def test_a_chain_resamples_once_what_its_composed_matrices_say() -> None:
    x, transforms = pictures(4, 24), chain()
    draws = torch.rand(4, transforms.draws, generator=torch.Generator().manual_seed(3))
    changed = transforms(x, draws)
    assert transforms.draws == 6
    assert changed.shape == (4, 2, 36, 36)
    for picture, d, result in zip(x.numpy(), draws.numpy(), changed, strict=True):
        matrix = (
            shift(int(d[0] * 9) - 4, int(d[1] * 9) - 4)
            @ zoom(FACTORS[int(d[2] * len(FACTORS))])
            @ turn(DEGREES[int(d[3] * len(DEGREES))])
            @ shift(int(d[4] * 5) - 2, int(d[5] * 5) - 2)
        )
        np.testing.assert_allclose(result, by_scipy(picture, matrix, 36), atol=5e-5)


def test_each_picture_has_its_own_draws_and_does_not_depend_on_the_others() -> None:
    x, transforms = pictures(1, 24).expand(3, -1, -1, -1), chain()
    draws = torch.rand(3, transforms.draws, generator=torch.Generator().manual_seed(4))
    together = transforms(x, draws)
    assert not torch.equal(together[0], together[1])
    for at in range(3):
        torch.testing.assert_close(transforms(x[:1], draws[at : at + 1]), together[at : at + 1])


def test_gradients_are_the_transposed_resampling() -> None:
    x = pictures(1, 10).double().requires_grad_()
    transforms = Transforms({"pad": Pad(2), "scale": Scale([1.1]), "rotate": Rotate([7])})
    assert torch.autograd.gradcheck(lambda p: transforms(p, torch.zeros(1, 2)), x, fast_mode=True)


def test_half_precision_pictures_stay_so() -> None:
    changed = chain()(pictures().bfloat16(), torch.rand(3, 6))
    assert changed.dtype == torch.bfloat16


def test_resample_of_one_transform_is_that_transform() -> None:
    x, draws = pictures(), torch.rand(3, 1)
    assert isinstance(Scale(FACTORS), Geometric)
    assert torch.equal(resample([Scale(FACTORS)], x, draws), Scale(FACTORS)(x, draws))
