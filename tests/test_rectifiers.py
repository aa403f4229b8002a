from collections.abc import Callable

import pytest
import torch
import torchvision
from torch import Tensor, nn
from torch.nn import functional as F

from featviz.backbone import Backbone
from featviz.models.model import Model
from featviz.rectifiers import RedirectedRectifiers

RELU = (0.0, torch.inf)
# Each rectifier, and the values below and above which it is flat; none above zero for those that stay open there.
RECTIFIERS: dict[str, tuple[Callable[[Tensor], Tensor], tuple[float, float]]] = {
    "nn.ReLU": (nn.ReLU(), RELU),
    "nn.ReLU inplace": (nn.ReLU(inplace=True), RELU),
    "F.relu": (F.relu, RELU),
    "F.relu keyword input": (lambda x: F.relu(input=x), RELU),
    "F.relu inplace positional": (lambda x: F.relu(x, True), RELU),
    "F.relu inplace keyword": (lambda x: F.relu(x, inplace=True), RELU),
    "F.relu_": (F.relu_, RELU),
    "torch.relu": (torch.relu, RELU),
    "torch.relu_": (torch.relu_, RELU),
    "x.relu()": (lambda x: x.relu(), RELU),
    "x.relu_()": (lambda x: x.relu_(), RELU),
    "nn.ReLU6": (nn.ReLU6(inplace=True), (0.0, 6.0)),
    "F.relu6": (F.relu6, (0.0, 6.0)),
    "F.relu6 inplace positional": (lambda x: F.relu6(x, True), (0.0, 6.0)),
    "F.hardtanh": (F.hardtanh, (-1.0, 1.0)),
    "F.hardtanh positional": (lambda x: F.hardtanh(x, -2.0, 3.0), (-2.0, 3.0)),
    "F.hardtanh inplace positional": (lambda x: F.hardtanh(x, 0.0, 4.0, True), (0.0, 4.0)),
    "F.hardtanh keyword": (lambda x: F.hardtanh(x, min_val=-0.5, max_val=2.0, inplace=True), (-0.5, 2.0)),
    "nn.Hardtanh": (nn.Hardtanh(0.0, 1.0), (0.0, 1.0)),
    "F.hardswish": (F.hardswish, (-3.0, torch.inf)),
    "nn.Hardswish inplace": (nn.Hardswish(inplace=True), (-3.0, torch.inf)),
    "F.gelu": (F.gelu, (-8.0, torch.inf)),
    "F.gelu tanh": (lambda x: F.gelu(x, approximate="tanh"), (-8.0, torch.inf)),
    "F.silu": (F.silu, (-40.0, torch.inf)),
    "nn.SiLU inplace": (nn.SiLU(inplace=True), (-40.0, torch.inf)),
}


def through(rectifier: Callable[[Tensor], Tensor], inputs: Tensor, weights: Tensor, redirected: bool) -> Tensor:
    """The output, and the gradient of its weighted sum, at inputs that are not a leaf."""
    leaf = inputs.clone().requires_grad_()
    between = leaf * 1
    if redirected:
        with RedirectedRectifiers():
            output = rectifier(between)
    else:
        output = rectifier(between)
    (gradient,) = torch.autograd.grad((output * weights).sum(), leaf)
    return torch.stack([output.detach(), gradient])


@pytest.fixture
def inputs() -> Tensor:
    return torch.randn(4, 3, 5, 5, generator=torch.Generator().manual_seed(0)) * 5


@pytest.fixture
def weights() -> Tensor:
    return torch.randn(4, 3, 5, 5, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("name", RECTIFIERS)
def test_forward_values_and_usual_gradients_are_untouched(name: str, inputs: Tensor, weights: Tensor) -> None:
    rectifier = RECTIFIERS[name][0]
    usual, redirected = through(rectifier, inputs, weights, False), through(rectifier, inputs, weights, True)
    assert torch.equal(redirected, usual)
    assert usual[1].flatten(1).any(1).all()


@pytest.mark.parametrize("name", RECTIFIERS)
@pytest.mark.parametrize("side", ["below", "above"])
def test_the_gradient_of_a_closed_picture_is_redirected_and_that_of_the_others_kept(
    name: str, side: str, inputs: Tensor, weights: Tensor
) -> None:
    rectifier, (low, high) = RECTIFIERS[name]
    if side == "above" and high == torch.inf:
        rectifier, (low, high) = RECTIFIERS["F.relu6"]
    closed = torch.tensor([1, 3])
    inputs[closed] = low - 1e-3 - inputs[closed].abs() if side == "below" else high + inputs[closed].abs()
    usual, redirected = through(rectifier, inputs, weights, False), through(rectifier, inputs, weights, True)
    expected = weights[closed].clamp(max=0) if side == "below" else weights[closed].clamp(min=0)
    assert torch.equal(redirected[0], usual[0])
    assert usual[1, closed].abs().max() < 1e-6
    assert torch.equal(redirected[1, closed], expected)
    assert torch.equal(redirected[1, [0, 2]], usual[1, [0, 2]])
    alone = through(rectifier, inputs[1:2], weights[1:2], True)
    assert torch.equal(alone[1], redirected[1, 1:2])


def test_in_place_rectifiers_change_their_input_as_they_always_do() -> None:
    x = torch.tensor([[-1.0, 2.0]], requires_grad=True)
    with RedirectedRectifiers():
        between = x * 1
        F.relu(between, inplace=True)
    assert torch.equal(between, torch.tensor([[0.0, 2.0]]))


@pytest.mark.parametrize("rectifier", [F.relu, F.relu6, F.gelu, torch.relu])
def test_tensors_without_a_gradient_pass_as_usual(rectifier: Callable[[Tensor], Tensor], inputs: Tensor) -> None:
    with RedirectedRectifiers():
        output = rectifier(inputs)
    assert not output.requires_grad
    assert torch.equal(output, rectifier(inputs))


def test_other_functions_are_left_alone(inputs: Tensor, weights: Tensor) -> None:
    for function in (torch.tanh, F.leaky_relu, torch.sigmoid, F.elu):
        usual, redirected = (through(function, inputs - 30, weights, flag) for flag in (False, True))
        assert torch.equal(usual, redirected)


OPEN = 1


def closed_filter(network: nn.Module, norm: str, number: int) -> Model:
    """A network with one filter whose batch norm lets nothing through the rectifier after it, and an open one."""
    with torch.no_grad():
        network.get_submodule(norm).bias[number] = -50
        network.get_submodule(norm).bias[OPEN] = 1
    return Model("m", network, (0.5,), (0.5,), 32, "random")


@pytest.fixture(scope="module")
def networks() -> dict[str, nn.Module]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return {
            "googlenet": torchvision.models.googlenet(init_weights=False, aux_logits=False),
            "densenet121": torchvision.models.densenet121(),
        }


@pytest.mark.parametrize(
    ("name", "norm", "layer"),
    [
        ("googlenet", "inception3a.branch3.0.bn", "inception3a.branch3.0"),
        ("densenet121", "features.norm0", "features.relu0"),
    ],
)
def test_a_closed_filter_of_a_real_network_gets_a_gradient_within_it_only(
    networks: dict[str, nn.Module], name: str, norm: str, layer: str
) -> None:
    backbone = Backbone(closed_filter(networks[name], norm, 3), [layer])
    pictures = torch.rand(3, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    rows, filters = torch.arange(3), torch.tensor([3, OPEN, 3])

    def gradient(pictures: Tensor, rows: Tensor, filters: Tensor) -> tuple[Tensor, Tensor]:
        pictures = pictures.clone().requires_grad_()
        maps = backbone(pictures)[layer]
        return maps.detach(), torch.autograd.grad(-maps[rows, filters].mean((1, 2)).sum(), pictures)[0]

    usual_maps, usual = gradient(pictures, rows, filters)
    with RedirectedRectifiers():
        maps, redirected = gradient(pictures, rows, filters)
        _, alone = gradient(pictures[:1], rows[:1], filters[:1])
    assert torch.equal(maps, usual_maps)
    assert not usual[[0, 2]].any()
    assert usual[1].any()
    assert redirected.flatten(1).any(1).all()
    torch.testing.assert_close(redirected[1], usual[1])
    torch.testing.assert_close(redirected[:1], alone)
