"""Weights between layers that are not adjacent, against products worked out with NumPy."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from refusals import assert_refused
from scipy.signal import convolve2d
from torch import Tensor, nn
from torch.nn import functional as F

from featviz.metrics.relations.expanded_weights import expanded_weights
from featviz.metrics.relations.linearized import Linearized
from featviz.metrics.relations.sources import Sources
from featviz.models.model import Model
from featviz.models.tracing import trace


def model_of(network: nn.Module, size: int = 24, channels: int = 3) -> Model:
    """A network with norms that have seen something."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor in (module.running_mean, module.running_var, module.weight, module.bias):
                nn.init.uniform_(tensor, 0.5, 2)
    return Model("net", network.eval(), (0.5,), (0.25,), size, "random", in_channels=channels)


def between(network: nn.Module, source: str, target: str) -> np.ndarray:
    """The weights of all units, (units, filters, positions)."""
    model = model_of(network)
    traced = trace(model)
    segment = Sources(model, traced).segment(traced.layers[source], traced.layers[target])
    return expanded_weights(segment, range(traced.layers[target].channels or 0)).numpy()


def seeded(make: Callable[[], nn.Module]) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return make()


def test_of_one_convolution_they_are_its_kernel() -> None:
    network = seeded(lambda: nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv2d(4, 5, 3)))
    np.testing.assert_allclose(between(network, "0", "1"), network[1].weight.detach().flatten(2).numpy(), atol=1e-6)


@pytest.mark.parametrize("gate", [nn.Sigmoid(), nn.Softmax(1)], ids=str)
def test_what_a_gate_hands_out_has_no_weights(gate: nn.Module) -> None:
    network = seeded(lambda: nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv2d(4, 5, 3), gate))
    assert_refused(lambda: between(network, "0", "2"), "layer", "2", "")


RECTIFIERS = [nn.ReLU(), nn.ReLU(inplace=True), nn.ReLU6(), nn.GELU(), nn.SiLU(), nn.Hardswish(), nn.LeakyReLU(0.2)]


@pytest.mark.parametrize("rectifier", RECTIFIERS, ids=str)
def test_of_two_with_a_norm_and_a_rectifier_they_are_the_kernels_product(rectifier: nn.Module) -> None:
    """The kernel of two convolutions is the convolution of their kernels, summed over the channels between them."""
    network = seeded(
        lambda: nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv2d(4, 6, 3), nn.BatchNorm2d(6), rectifier, nn.Conv2d(6, 5, 3))
    )
    weights = between(network, "0", "4")
    norm = network[2]
    scale = (norm.weight / (norm.running_var + norm.eps).sqrt()).detach().double().numpy()
    first, second = (network[at].weight.detach().double().numpy() for at in (1, 4))
    for unit in range(5):
        for channel in range(4):
            kernel = sum(convolve2d(second[unit, at], first[at, channel]) * scale[at] for at in range(6))
            np.testing.assert_allclose(weights[unit, channel], np.ravel(kernel), atol=1e-5)


def test_of_linear_layers_they_are_the_matrix_product() -> None:
    network = seeded(
        lambda: nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(3, 7),
            nn.Tanh(),
            nn.Linear(7, 6),
            nn.ReLU(),
            nn.Linear(6, 5),
        )
    )
    wanted = (network[6].weight @ network[4].weight).detach().numpy()
    np.testing.assert_allclose(between(network, "3", "6")[:, :, 0], wanted, atol=1e-5)


def test_max_pooling_counts_as_average_pooling() -> None:
    network = seeded(lambda: nn.Sequential(nn.Conv2d(3, 4, 1), nn.MaxPool2d(2), nn.Conv2d(4, 2, 1)))
    wanted = network[2].weight.detach().flatten(2).numpy() / 4
    np.testing.assert_allclose(between(network, "0", "2"), np.repeat(wanted, 4, 2), atol=1e-6)


def test_shortcuts_add_up() -> None:
    class Residual(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(4, 4, 1)

        def forward(self, x: Tensor) -> Tensor:
            return x + F.relu(self.conv(x))

    network = seeded(lambda: nn.Sequential(nn.Conv2d(3, 4, 1), Residual()))
    wanted = network[1].conv.weight.detach()[:, :, 0, 0].numpy() + np.eye(4)
    np.testing.assert_allclose(between(network, "0", "1")[:, :, 0], wanted, atol=1e-6)


def test_tokens_count_all_of_them() -> None:
    class Tokens(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed, self.norm, self.mix = nn.Conv2d(3, 8, 8, 8), nn.LayerNorm(8), nn.Linear(8, 5)

        def forward(self, x: Tensor) -> Tensor:
            tokens = self.embed(x).flatten(2).transpose(1, 2)
            return self.mix(self.norm(tokens)) + 0 * tokens.mean()

    network = seeded(Tokens)
    np.testing.assert_allclose(between(network, "norm", "mix")[:, :, 0], network.mix.weight.detach().numpy(), atol=1e-6)


class Gate(nn.Module):
    """Squeeze-and-excitation."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Conv2d(4, 4, 1)

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.sigmoid(self.fc(x.mean((2, 3), keepdim=True)))


def gradient(module: nn.Module, inputs: Tensor, shares: Tensor) -> Tensor:
    """That of a weighted sum of what a linearized module returns, whose values stay the same."""
    leaf = inputs.clone().requires_grad_()
    with Linearized():
        output = module(leaf)
    torch.testing.assert_close(output, module(leaf))
    return torch.autograd.grad((output * shares).sum(), leaf)[0]


@pytest.fixture
def drawn() -> tuple[Tensor, Tensor]:
    """Inputs and weights of a sum, (2, 4, 3, 3) each."""
    generator = torch.Generator().manual_seed(0)
    inputs, shares = torch.randn(2, 2, 4, 3, 3, generator=generator)
    return inputs, shares


def test_a_gate_is_a_constant(drawn: tuple[Tensor, Tensor]) -> None:
    inputs, shares = drawn
    module = Gate()
    gate = torch.sigmoid(module.fc(inputs.mean((2, 3), keepdim=True)))
    torch.testing.assert_close(gradient(module, inputs, shares), shares * gate.detach())


def test_a_gated_linear_unit_is_its_value_times_a_constant(drawn: tuple[Tensor, Tensor]) -> None:
    inputs, shares = drawn
    wanted = torch.cat([shares[:, :2] * inputs[:, 2:].sigmoid(), torch.zeros(2, 2, 3, 3)], 1)
    torch.testing.assert_close(gradient(nn.GLU(1), inputs, shares[:, :2]), wanted)


NORMS = {"layer": (nn.LayerNorm((4, 3, 3)), 1), "group": (nn.GroupNorm(2, 4), 2)}


@pytest.mark.parametrize("name", NORMS)
def test_a_norm_takes_the_mean_away_and_scales(name: str, drawn: tuple[Tensor, Tensor]) -> None:
    module, groups = NORMS[name]
    inputs, shares = (values.reshape(2, groups, -1).double().numpy() for values in drawn)
    wanted = (shares - shares.mean(2, keepdims=True)) / np.sqrt(inputs.var(2, keepdims=True) + 1e-5)
    found = gradient(module, *drawn).reshape(2, groups, -1)
    np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_attention_is_its_values_averaged_by_constants() -> None:
    generator = torch.Generator().manual_seed(0)
    tokens, shares = torch.randn(2, 1, 5, 4, generator=generator)

    class Attention(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = nn.MultiheadAttention(4, 1, bias=False, batch_first=True)

        def forward(self, x: Tensor) -> Tensor:
            return self.inner(x, x, x, need_weights=False)[0]

    module = Attention().eval()
    query, key, value = module.inner.in_proj_weight.detach().split(4)
    average = ((tokens @ query.T) @ (tokens @ key.T).transpose(1, 2) / 2).softmax(2)  # 2 is the root of the width
    wanted = average.transpose(1, 2) @ shares @ module.inner.out_proj.weight.detach() @ value
    torch.testing.assert_close(gradient(module, tokens, shares), wanted)
