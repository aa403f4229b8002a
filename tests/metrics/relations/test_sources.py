"""What feeds a layer."""

import pytest
import torch
from tiny_networks import Tiny
from torch import Tensor, nn

from featviz.metrics.relations.sources import Sources
from featviz.models.model import Model
from featviz.models.tracing import trace


class Branches(nn.Module):
    """Two branches that meet, a block, and a layer whose gradient is cut off."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 4, 3, 2, 1), nn.BatchNorm2d(4), nn.ReLU(inplace=True))
        self.left, self.right = nn.Conv2d(4, 4, 3, 1, 1), nn.Conv2d(4, 4, 1)
        self.block = nn.Sequential(nn.Conv2d(4, 6, 1), nn.Dropout(), nn.Conv2d(6, 4, 1))
        self.alone = nn.Conv2d(4, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        x = self.left(x) + self.right(x)
        x = x + self.block(x)
        return x + self.alone(x.detach()).sum(1, keepdim=True)


def sources(network: nn.Module) -> tuple[Sources, dict[str, str | None]]:
    model = Model("net", network.eval(), (0.5,), (0.25,), 48, "random")
    traced = trace(model)
    found = Sources(model, traced)
    before = {name: found.directly_before(layer) for name, layer in traced.layers.items()}
    return found, {name: layer.name if layer else None for name, layer in before.items()}


class Heads(nn.Module):
    """Returns a dict of two heads; an activation that is called twice, and a module that returns a tuple."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two, self.act = nn.Conv2d(3, 4, 3, 2, 1), nn.Conv2d(4, 4, 3, 2, 1), nn.ReLU(inplace=True)
        self.norm, self.attn = nn.LayerNorm(4), nn.MultiheadAttention(4, 2)
        self.classes, self.edge = nn.Conv2d(4, 3, 1), nn.Conv2d(4, 1, 1)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        x = self.act(self.two(self.act(self.one(x))))
        tokens = self.norm(x.flatten(2).permute(2, 0, 1))
        x = self.attn(tokens, tokens, tokens)[0].permute(1, 2, 0).reshape(x.shape)
        return {"classes": self.classes(x), "edge": self.edge(x).sigmoid()}


def test_of_single_calls_and_of_tensors_in_what_is_returned() -> None:
    found, before = sources(Heads())
    wanted = {"attn[0]": "norm", "classes": "norm", "edge": "norm", "output[classes]": "norm", "output[edge]": "edge"}
    assert {name: before[name] for name in wanted} == wanted
    first, second = (found.directly_before(found.traced.resolve(f"act:{call}")) for call in (1, 2))
    assert (first and first.name, second and second.name) == ("one", "two")


def test_the_module_directly_before() -> None:
    _, before = sources(Branches())
    wanted = {
        "stem.0": None,
        "stem.1": "stem.0",
        "stem.2": "stem.1",
        "stem": None,
        "left": "stem.2",
        "right": "stem.2",
        "block.0": "stem.2",  # past the branches, which are added
        "block.2": "block.0",
        "block": "stem.2",
        "alone": None,  # what is detached
    }
    assert {name: before[name] for name in wanted} == wanted


@pytest.mark.parametrize(
    ("layer", "asked", "wanted"),
    [
        ("last", ["first", "second", "last"], "second"),
        ("last", ["first", "last"], "first"),
        ("last", ["last"], "second"),
        ("first", ["first", "last"], None),
    ],
)
def test_the_nearest_layer_asked_for_comes_first(layer: str, asked: list[str], wanted: str | None) -> None:
    found, _ = sources(Tiny())
    layers = {name: found.traced.layers[name] for name in asked}
    source = found.of(layers[layer], layers.values())
    assert (source.name if source else None) == wanted


def test_a_layer_that_is_earlier_but_beside_is_none() -> None:
    found, _ = sources(Branches())
    layers = found.traced.layers
    left, right = sorted((layers["left"], layers["right"]), key=lambda layer: found.traced.finished[layer.name])
    source = found.of(right, [left, right])
    assert source is not None
    assert source.name == "stem.2"


def test_a_network_without_gradients_has_none() -> None:
    class Rounded(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = nn.Conv2d(3, 4, 1), nn.Conv2d(4, 4, 1)

        def forward(self, x: Tensor) -> Tensor:
            with torch.no_grad():
                return self.second(self.first(x))

    assert set(sources(Rounded())[1].values()) == {None}
