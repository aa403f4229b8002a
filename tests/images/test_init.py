"""How pixels begin."""

from collections.abc import Callable

import pytest
from pictures import generators
from refusals import assert_refused

from featviz.images.init import DataMean, Normal, Uniform


def test_starts_draw_from_their_distribution() -> None:
    uniform = Uniform(0.5, 0.6)((3, 64, 64), generators(0)[0])
    normal = Normal(0.4, 0.05)((3, 64, 64), generators(0)[0])
    assert (uniform.min() >= 0.5, uniform.max() <= 0.6) == (True, True)
    assert uniform.mean().item() == pytest.approx(0.55, abs=1e-3)
    assert (normal.mean().item(), normal.std().item()) == pytest.approx((0.4, 0.05), abs=2e-3)


@pytest.mark.parametrize(
    ("call", "setting", "got", "right"),
    [
        (lambda: Uniform(0.6, 0.5), "image.init.low", 0.6, ""),
        (lambda: DataMean(-1), "image.init.std", -1, "zero or more"),
    ],
)
def test_starts_that_cannot_be(call: Callable[..., object], setting: str, got: object, right: str) -> None:
    assert_refused(call, setting, got, right)
