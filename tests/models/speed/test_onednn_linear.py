"""Linear layers by oneDNN give what torch's own give."""

import pytest
import torch
from torch import nn

from featviz.models.backbone import Backbone
from featviz.models.model import Model
from featviz.models.speed.faster_copy import SpeedOptions
from featviz.models.speed.onednn_linear import OneDnnLinear, gradient_product, product, with_onednn_linears


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(5,), (4, 5), (2, 3, 5)])
def test_values_and_gradients_are_those_of_torch(shape: tuple[int, ...], bias: bool) -> None:
    torch.manual_seed(0)
    own = nn.Linear(5, 7, bias).requires_grad_(False)
    other = nn.Sequential(nn.Linear(5, 7, bias).requires_grad_(False))
    other[0].load_state_dict(own.state_dict())
    with_onednn_linears(other)
    assert type(other[0]) is OneDnnLinear
    results = []
    for layer in (own, other):
        inputs = torch.arange(float(torch.tensor(shape).prod())).view(shape).requires_grad_()
        output = layer(inputs)
        output.square().sum().backward()
        results.append((output, inputs.grad))
    torch.testing.assert_close(*results)
    torch.testing.assert_close(other.double()(torch.ones(shape).double()), own.double()(torch.ones(shape).double()))


@pytest.mark.parametrize("dense", [0, 1, 3, 12])
def test_gradients_of_single_units_are_those_of_a_whole_product_bit_for_bit(dense: int) -> None:
    weight, gradient = torch.randn(9, 70), torch.zeros(3, 4, 9)
    gradient[..., 4], gradient[0, 0] = torch.randn(3, 4), 0.0
    gradient.view(12, 9)[12 - dense :] = torch.randn(dense, 9)
    transposed = weight.T.contiguous()
    torch.testing.assert_close(
        gradient_product(gradient, weight, transposed), product(gradient, transposed), rtol=0, atol=0
    )


def test_a_network_has_them_only_where_it_is_asked_for() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(108, 6))
    model, pictures = Model("net", network, (0.5,), (0.25,), 6), torch.rand(3, 3, 6, 6)
    each = {asked: Backbone(model, ["1"], fast=SpeedOptions(onednn=asked)) for asked in (False, True)}
    for asked, backbone in each.items():
        assert any(isinstance(module, OneDnnLinear) for module in backbone.network.modules()) is asked
    torch.testing.assert_close(each[True](pictures), each[False](pictures))
