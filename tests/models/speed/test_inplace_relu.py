"""Rectifiers that overwrite their input, and later their output."""

import copy

import pytest
import torch
from torch import Tensor, nn

from featviz.models.backbone import Backbone
from featviz.models.model import Model
from featviz.models.redirected_relu import RedirectedReLU
from featviz.models.speed.faster_copy import SpeedOptions
from featviz.models.speed.inplace_relu import inplace_relus, with_inplace_relus


def replaced(network: nn.Module) -> nn.Module:
    return with_inplace_relus(network, inplace_relus(network))


def networks() -> tuple[nn.Sequential, nn.Sequential]:
    torch.manual_seed(0)
    layers = [nn.Conv2d(3, 8, 3), nn.ReLU6(inplace=True), nn.Conv2d(8, 8, 3, groups=8), nn.ReLU6(inplace=True)]
    plain = nn.Sequential(*layers).double()
    for conv in (plain[0], plain[2]):
        conv.weight.data *= 12  # so that both ends are reached
    lean = replaced(copy.deepcopy(plain))
    assert isinstance(lean, nn.Sequential)
    assert type(lean[1]) is not nn.ReLU6
    return plain, lean


def gradient(network: nn.Module, x: Tensor) -> tuple[Tensor, Tensor]:
    x = x.clone().requires_grad_()
    out = network(x)
    values = out.detach().clone()  # the backward pass uses its memory
    (out * torch.linspace(-1, 1, out.numel(), dtype=out.dtype).view_as(out)).sum().backward()
    assert x.grad is not None
    return values, x.grad


@pytest.mark.parametrize("redirects", [False, True])
def test_values_and_gradients_are_those_of_relu6(redirects: bool) -> None:
    plain, lean = networks()
    x = torch.randn(2, 3, 9, 9, dtype=torch.double)
    if redirects:
        with RedirectedReLU():
            (out, grad), (expected, expected_grad) = gradient(lean, x), gradient(plain, x)
    else:
        (out, grad), (expected, expected_grad) = gradient(lean, x), gradient(plain, x)
    assert ((expected == 0).any(), (expected == 6).any()) == (True, True)
    assert torch.equal(out, expected)
    assert torch.equal(grad, expected_grad)


def test_a_closed_one_lets_gradients_through_when_they_are_redirected() -> None:
    lean = replaced(nn.Sequential(nn.Identity(), nn.ReLU6(inplace=True)))
    for redirects, moved in ((False, False), (True, True)):
        x = torch.full((1, 1, 4, 4), -1.0).requires_grad_()
        if redirects:
            with RedirectedReLU():
                (-lean(x * 1)).sum().backward()
        else:
            (-lean(x * 1)).sum().backward()
        assert x.grad is not None
        assert bool(x.grad.any()) == moved
    assert RedirectedReLU.active == 0


def test_it_saves_no_copy() -> None:
    """The feature map that is kept for the backward pass is the one that goes on."""
    lean, kept = replaced(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU6(inplace=True))), []

    def keep(saved: Tensor) -> Tensor:
        kept.append(saved.data_ptr())
        return saved

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda saved: saved):
        out = lean(torch.randn(1, 3, 8, 8).requires_grad_())
    assert out.data_ptr() in kept


@pytest.mark.parametrize("x", [torch.randn(1, 3, 4, 4), torch.randn(2, 3, 4, 4).requires_grad_()])
def test_leaves_and_what_needs_no_gradient_are_as_before(x: Tensor) -> None:
    if x.requires_grad:
        with pytest.raises(RuntimeError, match="leaf"):
            nn.ReLU6(inplace=True)(x)
        with pytest.raises(RuntimeError, match="leaf"):
            replaced(nn.Sequential(nn.ReLU6(inplace=True)))(x)
    else:
        assert torch.equal(replaced(nn.Sequential(nn.ReLU6(inplace=True)))(x.clone()), nn.ReLU6()(x))


def test_a_second_backward_pass_gives_the_same() -> None:
    lean = networks()[1]
    x = torch.randn(2, 3, 9, 9, dtype=torch.double).requires_grad_()
    out = lean(x).sum()
    first, second = (torch.autograd.grad(out, x, retain_graph=more)[0] for more in (True, False))
    assert first.any()
    assert torch.equal(first, second)


def test_a_feature_map_that_is_used_twice_has_the_whole_gradient() -> None:
    x = torch.randn(2, 3, 9, 9, dtype=torch.double)
    relus = nn.ReLU(inplace=True), replaced(nn.Sequential(nn.ReLU(inplace=True)))
    gradients = []
    for relu in relus:
        start = x.clone().requires_grad_()
        features = relu(start * 1)
        (features + features.square().mean((2, 3), keepdim=True)).sigmoid().sum().backward()
        gradients.append(start.grad)
    assert torch.equal(*gradients)


def test_maps_that_a_backbone_hands_out_stay_after_the_backward_pass() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU6(inplace=True))
    backbone = Backbone(
        Model("small", network, mean=(0.5,) * 3, std=(0.5,) * 3, size=16, weights="random"), ["1"], fast=SpeedOptions()
    )
    maps = backbone(torch.rand(2, 3, 16, 16).requires_grad_())["1"]
    before = maps.detach().clone()
    (maps * torch.linspace(-1, 1, maps.numel()).view_as(maps)).sum().backward()
    assert torch.equal(maps, before)
