"""Tensors in the dicts, tuples and data classes that modules return."""

from collections import OrderedDict, namedtuple
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from program import made
from refusals import refusal_of
from torch import Tensor, nn

import featviz
from featviz.errors import FeatvizError
from featviz.models.backbone import Backbone
from featviz.models.model import Model
from featviz.models.output_keys import keyed_tensors, module_and_key, tensor_at
from featviz.models.sources import torchvision
from featviz.models.tracing import trace
from featviz.results.folder import read_rows

Pair = namedtuple("Pair", "first second")
ONE, TWO = torch.rand(1, 2), torch.rand(1, 3)


@dataclass
class Output:
    logits: Tensor
    states: tuple[Tensor, ...]
    loss: Tensor | None = None


@pytest.mark.parametrize(
    ("output", "keys"),
    [
        ({"out": ONE, "aux": TWO}, {"[out]", "[aux]"}),
        (OrderedDict(out=ONE, count=torch.tensor(3)), {"[out]"}),  # whole numbers have no gradient
        ((ONE, None), {"[0]"}),
        (Pair(ONE, [TWO, ONE]), {"[0]", "[1][0]", "[1][1]"}),
        (Output(ONE, (TWO,)), {"[logits]", "[states][0]"}),
        ("words", set()),
    ],
)
def test_keys(output: Any, keys: set[str]) -> None:
    tensors = dict(keyed_tensors(output))
    assert set(tensors) == keys
    assert all(tensor_at(output, key) is tensor for key, tensor in tensors.items())
    assert tensor_at(output, "[nowhere]") is None


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        ("a.b", ("a.b", "")),
        ("a.b:2", ("a.b", "")),
        ("a.b[0]", ("a.b", "[0]")),
        ("a.b[x][1]:3", ("a.b", "[x][1]")),
        ("output[out]", ("", "[out]")),
        ("odd[0]", ("odd[0]", "")),  # a module's own name
    ],
)
def test_the_module_and_the_key_of_a_name(layer: str, expected: tuple[str, str]) -> None:
    assert module_and_key(layer, {"", "a", "a.b", "odd[0]"}) == expected


class Head(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = nn.Conv2d(4, 5, 1), nn.Conv2d(4, 7, 1)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        return {"one": self.one(x), "two": self.two(x).relu_()}


class Keyed(nn.Module):
    """Its head, called twice, returns a dict, and so does the network."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.bn, self.head = nn.Conv2d(3, 4, 3, 2, 1), nn.BatchNorm2d(4), Head()

    def forward(self, x: Tensor) -> dict[str, Any]:
        features = self.bn(self.stem(x))
        first, second = self.head(features), self.head(features.relu())
        return {"all": [first["one"], second["two"] * 2]}


def model() -> Model:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Model("keyed", Keyed(), (0.0,), (1.0,), 32, "given")


def test_layers_by_key_are_what_the_network_returns() -> None:
    keyed, pictures = model(), torch.rand(2, 3, 32, 32)
    names = ["head[one]", "head[two]", "head[one]:1", "output[all][0]", "output[all][1]"]
    with torch.no_grad():
        features = keyed.network.bn(keyed.network.stem(pictures))
        first, second = keyed.network.head(features), keyed.network.head(features.relu())
        expected = [second["one"], second["two"], first["one"], first["one"], second["two"] * 2]
    for name, values in zip(names, expected, strict=True):
        torch.testing.assert_close(featviz.activations(keyed, pictures, name)[name], values, atol=1e-5, rtol=1e-5)


def test_layers_by_key_are_listed_and_the_dict_is_refused_with_their_names() -> None:
    traced = trace(model())
    assert [(n, at.channels, at.calls) for n, at in traced.layers.items() if at.key] == [
        ("head[one]", 5, 2),
        ("head[two]", 7, 2),
        ("output[all][0]", 5, 1),
        ("output[all][1]", 7, 1),
    ]
    with pytest.raises(FeatvizError) as refused:
        traced.resolve("head")
    assert (refused.value.setting, refused.value.expected) == ("layer", "a layer inside it, or head[one], head[two]")
    assert refusal_of(lambda: traced.resolve("output")).expected == "output[all][0], output[all][1]"


@pytest.mark.parametrize("name", ["deeplabv3_mobilenet_v3_large", "fasterrcnn_mobilenet_v3_large_320_fpn"])
def test_segmentation_and_detection_by_name(name: str) -> None:
    dense = torchvision.load(name, weights="random", size=64)
    layer = {"deeplabv3_mobilenet_v3_large": "output[out]"}.get(name, "backbone.fpn[pool]")
    backbone = Backbone(dense, [layer, "layer4"])
    assert backbone.layers[layer].channels == {"output[out]": 21}.get(layer, 256)
    backbone.close()
    assert (dense.mean == (0.0, 0.0, 0.0)) == name.startswith("fasterrcnn")  # which normalizes by itself


@pytest.mark.end_to_end
def test_a_key_as_it_is_typed() -> None:
    settings = ["schedule.steps=2", "schedule.size=32", "filters=0", "callbacks=none", "logger=none", "evidence=none"]
    target = ("model=own", f"model.target={Keyed.__module__}.Keyed", "model.weights=random", "model.size=32")
    folder = made(*target, "layer=output[all][1]", *settings)
    (row,) = read_rows(folder)
    assert (row["layer"], (folder / row["image"]).exists()) == ("output[all][1]", True)
