import copy
from typing import Any

import pytest
import timm
import torch
from torch import Tensor, nn

from featviz.models.backbone import Backbone
from featviz.models.model import Model
from featviz.models.speed.faster_copy import SpeedOptions

FAST = SpeedOptions()
WAYS = {"plain": None, "folded": FAST, "channels first": SpeedOptions(channels_last=False)}


class Shared(nn.Module):
    """A batch norm that is called twice, one that stands alone, and one of a single position."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.bn, self.act = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(inplace=True)
        self.second, self.alone = nn.Conv2d(4, 4, 1), nn.BatchNorm2d(3, affine=False)
        self.pooled, self.last = nn.BatchNorm1d(4), nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.act(self.bn(self.first(self.alone(x))))
        x = self.act(self.bn(self.second(x)))
        return self.last(self.pooled(x.mean((2, 3))))


def drawn(network: nn.Module) -> nn.Module:
    """The network with running statistics, weights and shifts as training leaves them."""
    generator = torch.Generator().manual_seed(1)
    for norm in (module for module in network.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)):
        norm.running_mean.normal_(generator=generator)
        norm.running_var.uniform_(0.5, 2, generator=generator)
        if norm.affine:
            nn.init.uniform_(norm.weight, 0.5, 2, generator=generator)
            nn.init.normal_(norm.bias, generator=generator)
    return network.eval()


def networks() -> dict[str, tuple[nn.Module, str]]:
    """Networks, each with the layer that is asked for."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return {
            "conv, norm, relu": (
                nn.Sequential(nn.Conv2d(3, 5, 3), nn.BatchNorm2d(5), nn.ReLU6(inplace=True), nn.Conv2d(5, 4, 3)),
                "3",
            ),
            "the norm itself": (nn.Sequential(nn.Conv2d(3, 5, 3), nn.BatchNorm2d(5), nn.ReLU()), "1"),
            "the convolution": (nn.Sequential(nn.Conv2d(3, 5, 3), nn.BatchNorm2d(5), nn.Conv2d(5, 5, 1)), "0"),
            "shared": (Shared(), "last"),
            "resnet": (timm.create_model("test_resnet"), "layer2"),
            "an activation inside": (timm.create_model("test_efficientnet"), "blocks.4"),
        }


NETWORKS = {name: (drawn(network), layer) for name, (network, layer) in networks().items()}


def backbone(name: str, fast: SpeedOptions | None) -> Backbone:
    network, layer = NETWORKS[name]
    return Backbone(Model(name, network, (0.4,) * 3, (0.25,) * 3, 64, "random"), [layer], fast=fast, moments=True)


def inputs_of_norms(name: str, pictures: Tensor) -> list[Tensor]:
    """What goes into the batch norms of an unchanged copy, in the order of the calls, until the layer is over."""
    network, caught, over = copy.deepcopy(NETWORKS[name][0]), [], []
    for module in network.modules():
        if hasattr(module, "inplace"):
            module.inplace = False
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.register_forward_pre_hook(lambda _m, inputs: None if over else caught.append(inputs[0]))
    network.get_submodule(NETWORKS[name][1]).register_forward_hook(lambda *_: over.append(True))
    network((pictures - 0.4) / 0.25)
    return [features for features in caught if features.ndim == 4]


def moments(features: Tensor) -> Tensor:
    return torch.stack([features.mean((2, 3)), features.var((2, 3), correction=0)], 1)


def pictures() -> Tensor:
    return torch.rand(3, 3, 64, 64, generator=torch.Generator().manual_seed(2), requires_grad=True)


def of_moments(maps: dict[str, Tensor]) -> list[Tensor]:
    return [value for key, value in maps.items() if key.startswith("moments into ")]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", NETWORKS)
def test_moments_and_their_gradients_are_those_of_what_goes_into_the_norms(name: str, way: str) -> None:
    x = pictures()
    found = of_moments(backbone(name, WAYS[way])(x))
    expected = [moments(features) for features in inputs_of_norms(name, x)]
    weights = [torch.randn(each.shape, generator=torch.Generator().manual_seed(3)) for each in expected]
    assert len(found) == len(expected)
    gradients = []
    for each in (found, expected):
        total: Any = sum((weight * value).sum() for weight, value in zip(weights, each, strict=True))
        gradients.append(torch.autograd.grad(total, x)[0] if len(each) else torch.zeros(1))
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)
    assert (gradients[0] - gradients[1]).norm() <= 1e-3 * gradients[1].norm()


@pytest.mark.parametrize("way", WAYS)
def test_a_picture_has_the_same_moments_alone(way: str) -> None:
    x, network = pictures(), backbone("resnet", WAYS[way])
    for one, other in zip(of_moments(network(x[1:2])), of_moments(network(x)), strict=True):
        torch.testing.assert_close(one, other[1:2], rtol=1e-4, atol=1e-5)


def test_norms_that_cannot_be_computed_back_are_not_folded() -> None:
    network, _ = networks()["conv, norm, relu"]
    drawn(network)
    nn.init.zeros_(network[1].weight[2:3])
    model = Model("m", network, (0.4,) * 3, (0.25,) * 3, 64, "random")
    x = pictures()
    (found,) = of_moments(Backbone(model, ["3"], fast=FAST, moments=True)(x))
    torch.testing.assert_close(found, moments(network[0]((x - 0.4) / 0.25)), rtol=1e-4, atol=1e-4)
    assert "1 of 1 batch norms folded" in Backbone(model, ["3"], fast=FAST).describe()


def test_running_statistics_come_with_the_moments() -> None:
    found = backbone("shared", FAST)
    network = NETWORKS["shared"][0]
    running = found.running_moments
    assert list(running) == [key for key in found(pictures()) if key != "last"]
    assert [len(each.mean) for each in running.values()] == [3, 4, 4]
    for each, norm in zip(running.values(), (network.alone, network.bn, network.bn), strict=True):
        torch.testing.assert_close(each.mean, norm.running_mean)
        torch.testing.assert_close(each.var, norm.running_var)
        torch.testing.assert_close(each.std, (norm.running_var + norm.eps).sqrt())


def test_without_being_asked_for_there_are_none() -> None:
    network, layer = NETWORKS["resnet"]
    found = Backbone(Model("m", network, (0.4,) * 3, (0.25,) * 3, 64, "random"), [layer])
    assert list(found(pictures())) == [layer]
    assert not found.running_moments
