"""Networks of one's own, by import path and handed over."""

import copy
import re
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
import timm as timm_itself
import torch
from networks import state_equal
from refusals import assert_refused
from torch import Tensor, nn

from featviz.models.backbone import Backbone
from featviz.models.model import Model
from featviz.models.sources import own, torchvision
from featviz.models.speed.faster_copy import SpeedOptions


@pytest.fixture(scope="module")
def squeezenet() -> Model:
    return torchvision.load("squeezenet1_1", weights="random", seed=3)


MINE = """
import torch
from torch import nn

class Small(nn.Module):
    def __init__(self, channels=1, wide=4):
        super().__init__()
        self.conv = nn.Conv2d(channels, wide, 3)
    def forward(self, x):
        return self.conv(x)

class Holder:
    network = Small(4)

def build(**kwargs):
    return Small(**kwargs)

def number():
    return 3

ready = Small(channels=4)
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "my_nets"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "small.py").write_text(MINE)
    (package / "broken.py").write_text("import a_library_that_is_not_there")
    (package / "wrong.py").write_text("1 / 0")
    for name in [name for name in sys.modules if name.split(".")[0] == "my_nets"]:
        monkeypatch.delitem(sys.modules, name)


@pytest.mark.parametrize(
    ("target", "weights", "kwargs", "channels"),
    [
        ("my_nets.small.Small", "random", {}, 1),
        ("my_nets.small:Small", "random", {"channels": 4}, 4),
        ("my_nets.small:build", "given", {"channels": 4, "wide": 2}, 4),
        ("my_nets.small.Holder.network", "given", {}, 4),
        ("my_nets.small:ready", "given", {}, 4),
    ],
)
@pytest.mark.usefixtures("here")
def test_own_networks_by_import_path(target: str, weights: str, kwargs: dict[str, int], channels: int) -> None:
    path = list(sys.path)
    model = own.load(target, weights=weights, kwargs=kwargs, size=32, mean=0.5)
    assert sys.path == path
    assert (model.in_channels, model.mean, model.std) == (channels, (0.5,) * channels, (1.0,) * channels)
    assert (model.name, model.weights) == (re.split("[.:]", target)[-1], weights)


@pytest.mark.usefixtures("here")
def test_own_network_with_a_checkpoint_or_random_by_seed() -> None:
    first = own.load("my_nets.small.Small", weights="random", seed=1)
    assert state_equal(first.network, own.load("my_nets.small.Small", weights="random", seed=1).network)
    assert not state_equal(first.network, own.load("my_nets.small.Small", weights="random").network)
    torch.save({"state_dict": {f"model.{k}": v for k, v in first.network.state_dict().items()}}, "mine.ckpt")
    loaded = own.load("my_nets.small.Small", weights="mine.ckpt", name="mine")
    assert state_equal(first.network, loaded.network)
    assert (loaded.name, loaded.weights) == ("mine", "mine.ckpt")


@pytest.mark.parametrize(
    ("target", "got", "right"),
    [
        ("my_net.small.Small", "my_net", "my_nets"),
        ("my_nets.smal.Small", "smal", "small"),
        ("my_nets.small:Smal", "Smal", "Small"),
        ("my_nets.broken.Net", "my_nets.broken.Net", ""),
        ("my_nets.wrong.Net", "my_nets.wrong.Net", ""),
        ("my_nets.small.number", "my_nets.small.number", "a torch.nn.Module"),
        ("my_nets.small", "my_nets.small", "a torch.nn.Module, its class, or a function"),
        ("my nets/small.py", "my nets/small.py", ""),
    ],
)
@pytest.mark.usefixtures("here")
def test_targets_that_are_no_network(target: str, got: str, right: str) -> None:
    assert_refused(lambda: own.load(target, weights="random"), "model.target", got, right)


@pytest.mark.parametrize(
    ("more", "setting", "got", "right"),
    [
        ({"kwargs": {"deep": 2}}, "model.kwargs.deep", "deep", "wide"),
        ({"weights": None}, "model.weights", None, ""),
        ({"std": 0.0}, "model.std", [0.0], ""),
        ({"mean": [0, 0, 0]}, "model.mean", [0.0, 0.0, 0.0], ""),
    ],
)
@pytest.mark.usefixtures("here")
def test_settings_that_do_not_fit_the_network(more: dict[str, Any], setting: str, got: object, right: str) -> None:
    assert_refused(lambda: own.load("my_nets.small.Small", **{"weights": "random", **more}), setting, got, right)


@pytest.mark.usefixtures("here")
def test_a_network_that_is_ready_takes_no_arguments() -> None:
    ready = "my_nets.small.ready"
    expected = "a torch.nn.Module, its class, or a function"
    assert_refused(lambda: own.load(ready, weights="given", kwargs={"wide": 2}), "model.target", ready, expected)


def test_a_module_handed_over_stays_as_it_was() -> None:
    module = nn.Sequential(nn.Conv2d(4, 2, 1), nn.BatchNorm2d(2))
    model = own.from_module(module)
    assert module.training
    assert all(parameter.requires_grad for parameter in module.parameters())
    assert state_equal(module, model.network)
    assert (model.mean, model.std, model.size) == ((0.0,) * 4, (1.0,) * 4, 224)
    assert (model.name, model.weights) == ("Sequential", "given")


def test_a_module_handed_over_brings_its_librarys_preprocessing(squeezenet: Model) -> None:
    of_timm = own.from_module(timm_itself.create_model("test_resnet"), name="mine")
    assert (of_timm.name, of_timm.mean, of_timm.size) == ("mine", (0.5, 0.5, 0.5), 160)
    of_torchvision = own.from_module(squeezenet.network)
    assert (of_torchvision.mean, of_torchvision.std) == (squeezenet.mean, squeezenet.std)
    gray = copy.deepcopy(squeezenet.network)
    gray.features[0] = nn.Conv2d(1, 64, 3, stride=2)
    assert own.from_module(gray).mean == pytest.approx([0.449])
    said = own.from_module(gray, mean=0.1, std=[0.2], size=64, stages={"layer1": "features.2"})
    assert (said.mean, said.std, said.size, said.stages["layer1"]) == ((0.1,), (0.2,), 64, "features.2")


def test_what_is_no_module_is_refused() -> None:
    assert_refused(lambda: own.from_module("resnet18"), "model", "resnet18", "")
    module = nn.Linear(1, 1)
    module.lock = threading.Lock()
    assert_refused(lambda: own.from_module(module), "model", module, "")


class Stateful(nn.Module):
    """In the middle of its training: dropout, batch norm, frozen and free parameters, hooks, a cache."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.bn, self.drop, self.fc = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Dropout(), nn.Linear(4, 2)
        self.fc.weight.requires_grad_(False)
        self.cache: dict[int, Tensor] = {}
        self.bn.eval()

    def forward(self, x: Tensor) -> Tensor:
        scale = self.cache.setdefault(x.shape[-1], torch.linspace(0.5, 1.5, x.shape[-1]))
        out: Tensor = self.fc(self.drop(self.bn(self.conv(x * scale))).mean((2, 3)))
        return out


class StartsATraining(Stateful):
    started = 0

    def train(self, mode: bool = True) -> None:  # type: ignore[override]
        """Something else than in torch, and nothing comes back."""
        type(self).started += 1


@pytest.mark.parametrize("build", [Stateful, StartsATraining])
def test_a_network_handed_over_stays_as_it_is(build: type[nn.Module]) -> None:
    network = build()
    network.bn.register_forward_hook(lambda *_: None)
    StartsATraining.started = 0
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    flags = [(module.training, len(module._forward_hooks)) for module in network.modules()]
    grads = [parameter.requires_grad for parameter in network.parameters()]
    state = torch.random.get_rng_state()
    model = Model("net", network, (0.0,), (1.0,), 32, "given")
    pictures = torch.rand(2, 3, 32, 32, requires_grad=True)
    for fast in (None, SpeedOptions()):
        backbone = Backbone(model, ["bn"], fast=fast)
        backbone(pictures)["bn"].sum().backward()
        assert not any(module.training for module in backbone.train().modules())
    torch.random.set_rng_state(state)
    own.from_module(network)
    assert torch.equal(state, torch.random.get_rng_state())
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())
    assert flags == [(module.training, len(module._forward_hooks)) for module in network.modules()]
    assert grads == [parameter.requires_grad for parameter in network.parameters()]
    assert not network.cache
    assert StartsATraining.started == 0
    network(pictures).sum().backward()
    assert network.conv.weight.grad is not None
