"""What a pass through a network shows: each call of a module is a layer of its own, ``act:1``, ``act:2``."""

from pathlib import Path

import pytest
import torch
from refusals import assert_refused, refusal_of
from torch import Tensor, nn
from torch.nn import functional as F

import featviz
from featviz.models.backbone import Backbone
from featviz.models.receptive_field import receptive_fields
from featviz.models.speed.faster_copy import SpeedOptions
from featviz.models.tracing import trace

FAST = ["recipe=plain", "schedule.steps=2", "schedule.size=64", "restarts=0", "evidence=none"]


class Small(nn.Module):
    """Calls ``act`` twice, with other numbers of filters and of positions, and writes over what goes into it."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.bn1, self.act = nn.Conv2d(3, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.ReLU(inplace=True)
        self.conv2, self.fc = nn.Conv2d(8, 12, 3, 2, 1), nn.Linear(12, 10)

    def forward(self, pictures: Tensor) -> Tensor:
        maps = self.act(self.bn1(self.conv1(pictures)))
        logits: Tensor = self.fc(self.act(self.conv2(maps)).mean((2, 3)))
        return logits


@pytest.fixture
def model() -> featviz.Model:
    torch.manual_seed(0)
    return featviz.Model("small", Small(), (0.0,), (1.0,), 64, "given")


def outputs_of(network: nn.Module, pictures: Tensor) -> list[Tensor]:
    """What a hook with a clone sees of ``act``."""
    outputs: list[Tensor] = []
    handle = network.act.register_forward_hook(lambda _m, _i, output: outputs.append(output.clone()))  # type: ignore
    with torch.no_grad():
        network(pictures)
    handle.remove()
    return outputs


@pytest.mark.parametrize("fast", [None, SpeedOptions()])
def test_each_call_is_what_a_hook_sees(model: featviz.Model, fast: SpeedOptions | None) -> None:
    pictures = torch.rand(2, 3, 64, 64)
    first, second = outputs_of(model.network, pictures)
    for layers in (["act:1"], ["act:2"], ["act"], ["act", "act:1", "conv2"], ["act:2", "act", "act:1"]):
        maps = Backbone(model, layers, fast=fast)(pictures)
        for layer in layers:
            if layer != "conv2":
                torch.testing.assert_close(maps[layer], first if layer == "act:1" else second)


def test_they_have_their_own_filters_and_fields(model: featviz.Model) -> None:
    traced = trace(model)
    assert [traced.resolve(name).channels for name in ("act", "act:1", "act:2")] == [12, 8, 12]
    fields = receptive_fields(model, ["act:1", "act:2"])
    assert [fields[name].rows.size for name in ("act:1", "act:2")] == [3, 7]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("layer", "hint", "near"),
    [
        ("act:3", "its calls are counted from 1", ""),
        ("act:0", "its calls are counted from 1", ""),
        ("conv1:2", "its calls are counted from 1", ""),
        ("atc:1", "task=layers lists them all", "act"),
        ("act:x", "task=layers lists them all", "act"),
    ],
)
def test_what_is_no_call(model: featviz.Model, layer: str, hint: str, near: str) -> None:
    traced = trace(model)
    assert_refused(lambda: traced.resolve(layer), "layer", layer, near)
    assert refusal_of(lambda: traced.resolve(layer)).hint == hint


def test_a_module_that_is_called_once_has_a_first_call(model: featviz.Model) -> None:
    assert trace(model).resolve("conv1:1").name == "conv1"


def test_pictures_of_a_call(model: featviz.Model, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    made = featviz.visualize(model, layer=["act:1", "act"], filters=[0], overrides=FAST, output=tmp_path)
    assert [(row["layer"], row["module"]) for row in made.rows] == [("act:1", "act:1"), ("act", "act")]
    assert all((tmp_path / row["image"]).is_file() for row in made.rows)
    assert "act is called 2 times: its last call is shown; layer=act:1 is the first" in caplog.text


class SecondLook(nn.Module):
    """Looks again at pictures in which there is something, by calling a module once more."""

    def __init__(self, threshold: float = 0.0) -> None:
        super().__init__()
        self.conv, self.out, self.threshold = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 2, 3), threshold

    def forward(self, pictures: Tensor) -> Tensor:
        maps = self.conv(pictures)
        if pictures.abs().amax() > self.threshold:
            maps = maps + self.conv(pictures * 0.5)
        logits: Tensor = self.out(maps)
        return logits


class Bright(SecondLook):
    """Calls a module for pictures alone in which there is something; another one for those in which there is not."""

    def forward(self, pictures: Tensor) -> Tensor:
        logits: Tensor = self.out(self.conv(pictures)) if pictures.abs().amax() > 0 else self.conv(pictures)
        return logits


class Dark(SecondLook):
    def forward(self, pictures: Tensor) -> Tensor:
        logits: Tensor = self.conv(pictures) if pictures.abs().amax() > 0 else self.out(self.conv(pictures))
        return logits


def given(network: nn.Module) -> featviz.Model:
    return featviz.Model("varies", network, (0.0,), (1.0,), 32, "given")


def test_the_calls_are_those_of_pictures_that_show_something(caplog: pytest.LogCaptureFixture) -> None:
    model, pictures = given(SecondLook()), torch.rand(2, 3, 32, 32)
    seen: list[Tensor] = []
    model.network.conv.register_forward_hook(lambda _m, _i, output: seen.append(output.clone()))  # type: ignore
    maps = Backbone(model, ["conv", "conv:1"])(pictures)
    first, second = seen[-2:]
    torch.testing.assert_close((maps["conv:1"], maps["conv"]), (first, second))
    words = "layer 'conv' is called 2 times for a picture of noise and once for a gray one: call 2 is shown"
    assert words in caplog.text


def test_it_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    made = featviz.visualize(given(SecondLook()), layer="conv", filters=[0], overrides=[*FAST, "schedule.size=32"])
    assert made.rows[0]["status"] == "ok"
    assert caplog.text.count("is called 2 times for a picture of noise") == 1


def test_a_picture_of_fewer_calls_is_refused() -> None:
    gray = torch.zeros(1, 3, 32, 32)
    assert_refused(lambda: featviz.activations(given(SecondLook()), gray, "conv"), "layer", "conv", "")


def test_a_layer_that_only_some_pictures_call(caplog: pytest.LogCaptureFixture) -> None:
    assert Backbone(given(Bright()), ["out"])(torch.rand(1, 3, 32, 32))["out"].shape == (1, 2, 28, 28)
    assert "layer 'out' is called once for a picture of noise and never for a gray one: call 1 is shown" in caplog.text
    assert_refused(lambda: trace(given(Dark())).resolve("out"), "layer", "out", "")


def test_networks_that_always_call_the_same_are_quiet(model: featviz.Model, caplog: pytest.LogCaptureFixture) -> None:
    fixed = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(4 * 30 * 30, 2))  # takes one size only
    for each, layer in ((model, "act"), (given(fixed), "0")):
        traced = trace(each)
        traced.resolve(layer)
        assert traced.varying == {}
    assert not caplog.records


class Unet(nn.Module):
    """Halves the picture three times, and puts it together again: sides are multiples of 8."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.ModuleList(nn.Conv2d(3 if n == 0 else 4, 4, 3, 2, 1) for n in range(3))
        self.up, self.out = nn.Upsample(scale_factor=2), nn.Conv2d(4, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        maps = []
        for conv in self.down:
            x = conv(x)
            maps.append(x)
        x = self.up(self.up(maps[2]) + maps[1]) + maps[0]
        out: Tensor = self.out(x)
        return out


def test_a_network_of_multiples_gets_the_next_size_that_it_takes() -> None:
    torch.manual_seed(0)
    unet = featviz.Model("unet", Unet(), (0.0,), (1.0,), 64, "given")
    backbone = Backbone(unet, ["out"])
    assert backbone.trace.multiple == 8
    pictures = torch.rand(1, 3, 35, 48)
    resampled = F.interpolate(pictures, (40, 48), mode="bilinear", align_corners=False, antialias=True)
    assert torch.equal(backbone(pictures)["out"], backbone(resampled)["out"])
    backbone.check_size(35)
    run = featviz.visualize(unet, layer="out", filters=[0], overrides=["schedule=constant", "schedule.steps=1",
                            "schedule.size=64"])  # fmt: skip
    assert run.images.shape == (1, 3, 64, 64)
    assert Backbone(given(nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3))), ["1"]).trace.multiple == 1


class Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.enc = nn.Conv2d(3, 3, 3, padding=1)
        self.dec, self.out = self.enc, nn.Conv2d(3, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.out(self.dec(self.enc(x).relu()))
        return out


def test_a_module_of_two_names_is_known_by_both() -> None:
    backbone = Backbone(given(Tied()), ["enc", "dec"])
    maps = backbone(torch.rand(1, 3, 32, 32))
    assert torch.equal(maps["enc"], maps["dec"])
    assert backbone.trace.resolve("dec").calls == 2
