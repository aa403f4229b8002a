from collections.abc import Callable

import pytest
import timm.layers
import torch
import torchvision
from rectifiers import RECTIFIERS
from torch import Tensor, nn
from torch.nn import functional as F

from featviz.models.backbone import Backbone
from featviz.models.model import Model
from featviz.models.redirected_relu import RedirectedReLU


def through(rectifier: Callable[[Tensor], Tensor], inputs: Tensor, weights: Tensor, redirected: bool) -> Tensor:
    """The output, and the gradient of its weighted sum, at inputs that are not a leaf."""
    leaf = inputs.clone().requires_grad_()
    between = leaf * 1
    if redirected:
        with RedirectedReLU():
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
    torch.testing.assert_close(redirected[1, closed], expected, atol=1e-6, rtol=0)
    assert torch.equal(redirected[1, [0, 2]], usual[1, [0, 2]])
    alone = through(rectifier, inputs[1:2], weights[1:2], True)
    assert torch.equal(alone[1], redirected[1, 1:2])


def test_a_sigmoid_made_of_lines_is_redirected_too(inputs: Tensor, weights: Tensor) -> None:
    for sign, expected in ((-1, weights.clamp(max=0)), (1, weights.clamp(min=0))):
        outside = sign * (3.1 + inputs.abs())
        for rectifier in (F.hardsigmoid, nn.Hardsigmoid(inplace=True)):
            usual, redirected = (through(rectifier, outside, weights, flag) for flag in (False, True))
            assert torch.equal(redirected[0], usual[0])
            assert not usual[1].any()
            assert torch.equal(redirected[1], expected)


# Each with the place of its deepest point and a value left of it, where the slope is negative.
DIPS = {
    "hardswish": (F.hardswish, -1.5, -2.0),
    "gelu": (F.gelu, -0.7518, -1.5),
    "gelu tanh": (lambda x: F.gelu(x, approximate="tanh"), -0.7525, -1.5),
    "silu": (F.silu, -1.2785, -3.0),
    "mish": (F.mish, -1.1924, -2.5),
}


@pytest.mark.parametrize("name", DIPS)
def test_the_bottom_of_a_dip_is_where_the_slope_is_zero(name: str) -> None:
    rectifier, bottom, _ = DIPS[name]
    x = torch.tensor(bottom, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(rectifier(x), x)
    assert abs(slope) < 1e-4


@pytest.mark.parametrize("name", DIPS)
def test_a_picture_on_the_far_side_of_a_dip_is_led_out_of_it(name: str) -> None:
    rectifier, _, left = DIPS[name]
    inputs = torch.full((4, 2, 3, 3), left) - 0.2 * torch.rand(4, 2, 3, 3, generator=torch.Generator().manual_seed(0))
    inputs[3, 0, 0, 0] = 1.0  # a picture that is open somewhere goes on as usual
    weights = torch.tensor([-1.0, 1.0, -1.0, -1.0]).view(4, 1, 1, 1).expand(4, 2, 3, 3).clone()
    weights[2, 1] = 0.5
    usual, redirected = (through(rectifier, inputs, weights, flag)[1] for flag in (False, True))
    assert (usual[0] > 0).all()  # ascent, which minimizes a loss, would lower these values
    assert torch.equal(redirected[0], weights[0])
    assert torch.equal(redirected[1], usual[1])  # who wants less is led to the bottom
    assert torch.equal(redirected[2, 0], weights[2, 0])
    assert torch.equal(redirected[3], usual[3])


@pytest.mark.parametrize("want", [-1.0, 1.0])
def test_a_filter_at_its_upper_end_can_only_go_down(want: float) -> None:
    weights = torch.full((2, 1, 3, 3), want)
    _, gradient = through(F.relu6, torch.full((2, 1, 3, 3), 7.0), weights, True)
    assert torch.equal(gradient, weights.clamp(min=0))


@pytest.mark.parametrize("in_place", [False, True])
def test_a_filter_behind_two_closed_rectifiers_gets_its_gradient(in_place: bool) -> None:
    inner = torch.tensor([[-2.0, 1.0], [-2.0, -1.0]])
    weights = torch.tensor([3.0, 0.5])

    def both(x: Tensor) -> Tensor:
        between = (F.relu6(x, inplace=in_place) * weights).sum(1, keepdim=True) - 9
        return F.relu(between, inplace=in_place)

    leaf = inner.clone().requires_grad_()
    with RedirectedReLU():
        output = both(leaf * 1)
    (gradient,) = torch.autograd.grad(-output.sum(), leaf)
    assert torch.equal(output, both(inner.clone()))
    # where the inner one is open at one place its gradient is the usual one, as in lucid; where it is shut all pass
    assert torch.equal(gradient, torch.tensor([[0.0, -0.5], [-3.0, -0.5]]))


def test_one_number_a_picture_is_rectified_picture_by_picture() -> None:
    inputs, weights = torch.tensor([-2.0, 3.0, -1.0]), torch.tensor([-1.0, -1.0, 1.0])
    assert torch.equal(through(F.relu, inputs, weights, True)[1], torch.tensor([-1.0, -1.0, 0.0]))
    assert torch.equal(through(F.relu, inputs[:1], weights[:1], True)[1], torch.tensor([-1.0]))


def test_a_single_number_passes_as_usual() -> None:
    number = torch.tensor(-1.0, requires_grad=True)
    with RedirectedReLU():
        F.relu(number * 1).backward()
    assert number.grad == 0


def test_the_network_may_go_on_changing_the_input_in_place(inputs: Tensor, weights: Tensor) -> None:
    leaf = inputs.clone().requires_grad_()
    with RedirectedReLU():
        between = leaf * 1
        output = F.relu(between)
        between.mul_(0)
    (gradient,) = torch.autograd.grad((output * weights).sum() + between.sum(), leaf)
    assert torch.equal(gradient, through(F.relu, inputs, weights, False)[1])


def test_a_gradient_can_be_taken_twice(inputs: Tensor) -> None:
    leaf = (-inputs.abs()).requires_grad_()
    with RedirectedReLU():
        output = F.relu(leaf * 1)
    twice = [torch.autograd.grad(-output.sum(), leaf, retain_graph=True)[0] for _ in range(2)]
    assert torch.equal(*twice)
    assert (twice[0] == -1).all()


def test_in_place_rectifiers_change_their_input_as_they_always_do() -> None:
    x = torch.tensor([[-1.0, 2.0]], requires_grad=True)
    with RedirectedReLU():
        between = x * 1
        F.relu(between, inplace=True)
    assert torch.equal(between, torch.tensor([[0.0, 2.0]]))


@pytest.mark.parametrize("rectifier", [F.relu, F.relu6, F.gelu, torch.relu])
def test_tensors_without_a_gradient_pass_as_usual(rectifier: Callable[[Tensor], Tensor], inputs: Tensor) -> None:
    with RedirectedReLU():
        output = rectifier(inputs)
    assert not output.requires_grad
    assert torch.equal(output, rectifier(inputs))


def test_other_functions_are_left_alone(inputs: Tensor, weights: Tensor) -> None:
    for function in (torch.tanh, F.leaky_relu, torch.sigmoid, F.elu):
        usual, redirected = (through(function, inputs - 30, weights, flag) for flag in (False, True))
        assert torch.equal(usual, redirected)


MODULES: dict[str, Callable[[bool], nn.Module]] = {
    "nn.ReLU": nn.ReLU,
    "nn.ReLU6": nn.ReLU6,
    "nn.Hardtanh": lambda in_place: nn.Hardtanh(0.0, 6.0, inplace=in_place),
    "nn.Threshold": lambda in_place: nn.Threshold(0.0, 0.0, inplace=in_place),
    "nn.Hardswish": nn.Hardswish,
    "nn.SiLU": nn.SiLU,
    "nn.Mish": nn.Mish,
    "nn.GELU": lambda _: nn.GELU(),
    "nn.GELU tanh": lambda _: nn.GELU("tanh"),
    **{
        f"timm {name}": lambda in_place, name=name: timm.layers.create_act_layer(name, inplace=in_place)
        for name in ("relu", "relu6", "hard_swish", "silu", "swish", "mish", "gelu", "gelu_tanh")
    },
    "timm BatchNormAct2d": lambda in_place: timm.layers.BatchNormAct2d(4, act_layer=nn.ReLU6, inplace=in_place).eval(),
}


@pytest.mark.parametrize("in_place", [False, True])
@pytest.mark.parametrize("name", MODULES)
def test_networks_of_every_activation_keep_their_outputs_and_let_a_shut_filter_learn(name: str, in_place: bool) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = nn.Sequential(
            nn.Conv2d(3, 4, 3), MODULES[name](in_place), nn.Conv2d(4, 4, 3), MODULES[name](in_place)
        )
    network.eval().requires_grad_(False)
    network[2].bias[2] = -60
    pictures = torch.rand(2, 3, 9, 9, generator=torch.Generator().manual_seed(1), requires_grad=True)
    usual = network(pictures)
    (nothing,) = torch.autograd.grad(-usual[:, 2].mean(), pictures, retain_graph=True)
    with RedirectedReLU():
        output = network(pictures)
    (gradient,) = torch.autograd.grad(-output[:, 2].mean(), pictures)
    assert torch.equal(output, usual)
    assert nothing.abs().max() < 1e-12
    assert (gradient.flatten(1).abs().amax(1) > 1e-6).all()


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
    with RedirectedReLU():
        maps, redirected = gradient(pictures, rows, filters)
        _, alone = gradient(pictures[:1], rows[:1], filters[:1])
    assert torch.equal(maps, usual_maps)
    assert not usual[[0, 2]].any()
    assert usual[1].any()
    assert redirected.flatten(1).any(1).all()
    torch.testing.assert_close(redirected[1], usual[1])
    torch.testing.assert_close(redirected[:1], alone)


def test_densenet_rectifies_its_last_maps_by_a_function(networks: dict[str, nn.Module]) -> None:
    network = networks["densenet121"].eval().requires_grad_(False)
    usual_bias = network.features.norm5.bias.clone()
    network.features.norm5.bias -= 50
    pictures = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0), requires_grad=True)
    usual = network(pictures)
    (nothing,) = torch.autograd.grad(-usual[0, 7], pictures)
    with RedirectedReLU():
        output = network(pictures)
    (gradient,) = torch.autograd.grad(-output[0, 7], pictures)
    network.features.norm5.bias.copy_(usual_bias)
    assert torch.equal(output, usual)
    assert not nothing.any()
    assert gradient.any()
