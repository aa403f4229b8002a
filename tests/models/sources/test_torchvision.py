"""Networks of torchvision: weights, preprocessing and classes."""

import re
from pathlib import Path

import pytest
import torch
import torchvision as torchvision_itself
from networks import state_equal
from refusals import assert_refused, refusal_of

from featviz.models.model import Model
from featviz.models.sources import torchvision


@pytest.fixture(scope="module")
def squeezenet() -> Model:
    return torchvision.load("squeezenet1_1", weights="random", seed=3)


def test_random_weights_come_from_the_seed_alone(squeezenet: Model) -> None:
    before = torch.get_rng_state()
    torch.rand(3)
    again = torchvision.load("SqueezeNet1_1", weights="random", seed=3)
    torch.set_rng_state(before)
    other = torchvision.load("squeezenet1_1", weights="random", seed=4)
    assert torch.equal(torch.get_rng_state(), before)
    assert state_equal(again.network, squeezenet.network)
    assert not state_equal(other.network, squeezenet.network)
    assert squeezenet.label == "squeezenet1_1 (random weights)"


def test_preprocessing_and_classes_are_those_of_the_weights(squeezenet: Model) -> None:
    assert squeezenet.mean == (0.485, 0.456, 0.406)
    assert squeezenet.std == (0.229, 0.224, 0.225)
    assert squeezenet.size == 224
    assert squeezenet.classes[:2] == ("tench", "goldfish")


def test_googlenet_sees_what_torchvision_would_show_it(tmp_path: Path) -> None:
    with torch.random.fork_rng():
        theirs = torchvision_itself.models.googlenet(init_weights=False, transform_input=True).eval()
    torch.save(theirs.state_dict(), tmp_path / "googlenet.pt")
    model = torchvision.load("googlenet", weights=str(tmp_path / "googlenet.pt"))
    preset = torchvision_itself.models.GoogLeNet_Weights.DEFAULT.transforms()
    assert not model.network.transform_input
    assert not [name for name, _ in model.network.named_modules() if name.startswith("aux")]
    pixels = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    normalized = torchvision_itself.transforms.functional.normalize(pixels, preset.mean, preset.std)
    with torch.inference_mode():
        expected, found = theirs(normalized), model.network((pixels - 0.5) / 0.5)
    assert model.mean == model.std == (0.5, 0.5, 0.5)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_densenet_files_with_their_old_names_still_load(tmp_path: Path) -> None:
    model = torchvision.load("densenet121", weights="random")
    old = {
        re.sub(r"(denselayer\d+\.(?:norm|conv))([12])", r"\1.\2", name): tensor
        for name, tensor in model.network.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }
    assert "features.denseblock1.denselayer1.norm.1.weight" in old
    torch.save(old, tmp_path / "old.pth")
    again = torchvision.load("densenet121", weights=str(tmp_path / "old.pth"), seed=1)
    assert state_equal(model.network, again.network)


def test_torchvision_checkpoint_of_ones_own_with_other_classes(tmp_path: Path) -> None:
    model = torchvision.load("squeezenet1_1", weights="random", kwargs={"num_classes": 7})
    torch.save({"state_dict": model.network.state_dict()}, tmp_path / "mine.pt")
    again = torchvision.load("squeezenet1_1", str(tmp_path / "mine.pt"), kwargs={"num_classes": 7})
    assert state_equal(model.network, again.network)
    assert again.classes == ()
    assert again.label == "squeezenet1_1"
    error = refusal_of(lambda: torchvision.load("squeezenet1_1", str(tmp_path / "mine.pt")))
    assert (error.setting, error.got) == ("model.weights", str(tmp_path / "mine.pt"))
    assert error.hint.endswith("model.kwargs.num_classes=7")


@pytest.mark.parametrize(
    ("name", "more", "setting", "got", "right"),
    [
        ("resnt18", {}, "model.name", "resnt18", "resnet18"),
        ("raft_large", {}, "model.name", "raft_large", ""),  # no classification network
        ("alexnet", {"kwargs": {"color": "red"}}, "model.kwargs", {"color": "red"}, ""),
        ("squeezenet1_1", {"weights": "pretraind"}, "model.weights", "pretraind", "pretrained"),
    ],
)
def test_what_torchvision_cannot_build(
    name: str, more: dict[str, object], setting: str, got: object, right: str
) -> None:
    assert_refused(lambda: torchvision.load(name, **{"weights": "random", **more}), setting, got, right)
