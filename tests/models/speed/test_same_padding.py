"""Convolutions with TensorFlow's uneven padding inside, against timm's own."""

import copy

import pytest
import torch
from timm.layers import Conv2dSame
from torch import nn

from featviz.models.speed.same_padding import with_padding_inside


@pytest.mark.parametrize("size", [(32, 32), (33, 33), (32, 35), (31, 30)])
@pytest.mark.parametrize(
    ("kernel", "stride", "dilation"), [(3, 2, 1), (5, 2, 1), (4, 2, 1), (3, 1, 1), (2, 3, 1), (3, 2, 2), ((3, 5), 2, 1)]
)
def test_the_same_numbers_and_gradients(
    kernel: int | tuple[int, int], stride: int, dilation: int, size: tuple[int, int]
) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(Conv2dSame(6, 12, kernel, stride, dilation=dilation, groups=6)).requires_grad_(False)
    other = with_padding_inside(copy.deepcopy(network))
    assert not isinstance(other[0], Conv2dSame)
    assert other.state_dict().keys() == network.state_dict().keys()
    pictures = torch.randn(2, 6, *size, requires_grad=True)
    for _ in range(2):  # from what is kept, too
        usual, found = network(pictures), other(pictures)
        torch.testing.assert_close(found, usual, atol=1e-5, rtol=1e-5)
    weights = torch.randn_like(usual)
    wanted, gradient = (torch.autograd.grad((maps * weights).sum(), pictures)[0] for maps in (usual, found))
    torch.testing.assert_close(gradient, wanted, atol=1e-5, rtol=1e-5)


def test_only_depthwise_convolutions_are_replaced() -> None:
    network = nn.Sequential(Conv2dSame(3, 8, 3, 2), Conv2dSame(8, 8, 3, 2, groups=4), nn.Conv2d(8, 8, 3, groups=8))
    kept = list(network)
    assert list(with_padding_inside(network)) == kept
