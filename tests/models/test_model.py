"""A network with what has to be known of it."""

from functools import partial

import pytest
import timm
import torchvision
from refusals import assert_refused
from small_networks import DigitNetwork
from torch import nn

from featviz.models.model import Model
from featviz.models.sources.own import from_module


@pytest.mark.parametrize(
    ("stages", "setting", "got", "right"),
    [
        ({"layer1": "feature"}, "model.stages.layer1", "feature", "features"),
        ({"stem": "features"}, "model.stages", "stem", ""),
    ],
)
def test_stages_that_are_wrong(stages: dict[str, str], setting: str, got: str, right: str) -> None:
    network = nn.Sequential()
    network.add_module("features", nn.Conv2d(3, 4, 3))
    assert_refused(lambda: Model("net", network, (0.0,), (1.0,), 32, "random", stages), setting, got, right)


@pytest.mark.parametrize(
    ("build", "told"),
    [
        (DigitNetwork, "1 x 28 x 28, mean 0, std 1"),
        (lambda: nn.Sequential(nn.Conv2d(3, 4, 3)), "3 x 224 x 224, mean 0, std 1"),
        (
            lambda: torchvision.models.squeezenet1_1(),
            "3 x 224 x 224, mean [0.485, 0.456, 0.406], std [0.229, 0.224, 0.225]",
        ),
        (lambda: timm.create_model("test_vit"), "3 x 160 x 160, mean 0.5, std 0.5"),
    ],
)
def test_what_is_not_told_is_read_off_the_network(build: type[nn.Module], told: str) -> None:
    network = build()
    assert Model("net", network).describe_input() == from_module(network).describe_input() == told


def test_what_is_told_goes_first() -> None:
    network = timm.create_model("test_vit")
    assert Model("net", network, mean=(0.0,), std=(0.25,)).describe_input() == "3 x 160 x 160, mean 0, std 0.25"
    assert Model("net", network, std=(0.25,)).mean == (0.5, 0.5, 0.5)
    assert Model("net", network, size=160, weights="random").label == "net (random weights)"


def test_pictures_without_channels() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(1, 2))
    build = partial(Model, "empty", network, (0.0,), (1.0,), 8, "given", in_channels=-1)
    assert_refused(build, "model", -1, "1 or more")


def test_a_repr_is_one_line_whatever_the_network_has() -> None:
    network = nn.Sequential(*(nn.Conv2d(3, 3, 3, padding=1) for _ in range(50)))
    model = Model("many", network, (0.5,), (0.25,), 32, classes=("newt", "toad"))
    assert repr(model) == "Model('many', Sequential, weights given, 3 x 32 x 32, mean 0.5, std 0.25, 2 classes)"
