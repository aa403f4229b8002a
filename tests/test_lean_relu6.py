"""ReLU6 without a copy of its input."""

import copy

import pytest
import torch
from torch import Tensor, nn

from featviz.lean_relu6 import with_lean_relu6
from featviz.rectifiers import RedirectedRectifiers


def networks() -> tuple[nn.Sequential, nn.Sequential]:
    torch.manual_seed(0)
    layers = [nn.Conv2d(3, 8, 3), nn.ReLU6(inplace=True), nn.Conv2d(8, 8, 3, groups=8), nn.ReLU6(inplace=True)]
    plain = nn.Sequential(*layers).double()
    for conv in (plain[0], plain[2]):
        conv.weight.data *= 12  # so that both ends are reached
    lean = with_lean_relu6(copy.deepcopy(plain))
    assert isinstance(lean, nn.Sequential)
    assert type(lean[1]) is not nn.ReLU6
    return plain, lean


def gradient(network: nn.Module, x: Tensor) -> tuple[Tensor, Tensor]:
    x = x.clone().requires_grad_()
    out = network(x)
    (out * torch.linspace(-1, 1, out.numel(), dtype=out.dtype).view_as(out)).sum().backward()
    assert x.grad is not None
    return out.detach(), x.grad


@pytest.mark.parametrize("redirects", [False, True])
def test_values_and_gradients_are_those_of_relu6(redirects: bool) -> None:
    plain, lean = networks()
    x = torch.randn(2, 3, 9, 9, dtype=torch.double)
    if redirects:
        with RedirectedRectifiers():
            (out, grad), (expected, expected_grad) = gradient(lean, x), gradient(plain, x)
    else:
        (out, grad), (expected, expected_grad) = gradient(lean, x), gradient(plain, x)
    assert ((expected == 0).any(), (expected == 6).any()) == (True, True)
    assert torch.equal(out, expected)
    assert torch.equal(grad, expected_grad)


def test_a_closed_one_lets_gradients_through_when_they_are_redirected() -> None:
    lean = with_lean_relu6(nn.Sequential(nn.Identity(), nn.ReLU6(inplace=True)))
    for redirects, moved in ((False, False), (True, True)):
        x = torch.full((1, 1, 4, 4), -1.0).requires_grad_()
        if redirects:
            with RedirectedRectifiers():
                (-lean(x * 1)).sum().backward()
        else:
            (-lean(x * 1)).sum().backward()
        assert x.grad is not None
        assert bool(x.grad.any()) == moved
    assert RedirectedRectifiers.active == 0


def test_it_saves_no_copy() -> None:
    """The feature map that is kept for the backward pass is the one that goes on."""
    lean, kept = with_lean_relu6(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU6(inplace=True))), []

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
            with_lean_relu6(nn.Sequential(nn.ReLU6(inplace=True)))(x)
    else:
        assert torch.equal(with_lean_relu6(nn.Sequential(nn.ReLU6(inplace=True)))(x.clone()), nn.ReLU6()(x))
