"""Weights between layers that are not adjacent, against products worked out with NumPy."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
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


CONSTANT = {  # what hands on each value times a constant of the picture
    "gate": Gate(),
    "glu": nn.Sequential(nn.Conv2d(4, 8, 1), nn.GLU(1)),
    "group norm": nn.GroupNorm(2, 4),
    "attention": nn.MultiheadAttention(4, 2, batch_first=True),
}


@pytest.mark.parametrize("name", CONSTANT)
def test_values_stay_and_the_derivative_is_linear(name: str) -> None:
    """Twice the input has twice the derivative's product, whatever else a module does."""
    module = CONSTANT[name].eval()
    inputs = torch.randn(2, 4, 4, generator=torch.Generator().manual_seed(0)).requires_grad_()
    shaped = inputs if name == "attention" else inputs.transpose(1, 2)[..., None]
    call = (lambda x: module(x, x, x)[0]) if name == "attention" else module
    with Linearized():
        linear = call(shaped)
    torch.testing.assert_close(linear, call(shaped))
    (gradient,) = torch.autograd.grad(linear.sum(), inputs)
    assert gradient.isfinite().all()
    assert gradient.abs().sum() > 0 or name == "group norm"  # which takes the mean away
