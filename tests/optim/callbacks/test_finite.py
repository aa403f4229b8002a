"""Numbers that are not finite mark their filter alone."""

import pytest
import torch
from fitting import ADAM, FailsFrom
from growing import METHODS, backbone, fit, fitted
from pictures import psnr
from torch import Tensor

from featviz.images.fourier import FourierImage
from featviz.objectives import Channel
from featviz.optim.method import Method
from featviz.optim.schedules import constant
from featviz.optim.visualizer import FilterVisualizer


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
@pytest.mark.parametrize("name", METHODS)
def test_a_filter_whose_gradient_is_not_finite_is_marked_and_the_others_go_on(name: str, value: float) -> None:
    filters = [0, 1, 2, 3]
    usual = fitted(METHODS[name], filters)
    module = FilterVisualizer(backbone(), METHODS[name], "4", filters)
    fit(module, FailsFrom(2, value))
    assert module.failed.tolist() == [False, True, False, False]
    assert not usual.failed.any()
    assert torch.equal(module.pictures()[[0, 2, 3]], usual.pictures()[[0, 2, 3]])
    assert module.pictures().isfinite().all()


def test_a_filter_whose_score_becomes_nan_is_marked_and_the_others_go_on() -> None:
    class Broken(Channel):
        def __call__(self, maps: dict[str, Tensor]) -> Tensor:
            scores = super().__call__(maps)
            broken = torch.tensor([number == 1 for number in self.filters])
            return scores * torch.where(broken, torch.nan, 1.0)

    module = fitted(Method(FourierImage, constant(20, 6), ADAM, objective=Broken), [0, 1, 2])
    without = fitted(Method(FourierImage, constant(20, 6), ADAM), [0, 2])
    assert module.failed.tolist() == [False, True, False]
    assert psnr(module.pictures()[[0, 2]], without.pictures()) >= 40
