"""Networks whose forward takes more than pictures: whose neurons are read out, how the animal behaved."""

import copy

import pytest
import torch
from encoders import encoder
from refusals import assert_refused, refusal_of
from torch import Tensor, nn

import featviz
from featviz.models.backbone import Backbone
from featviz.models.model import Model
from featviz.models.tracing import trace

PICTURES = torch.rand(2, 1, 32, 32, generator=torch.Generator().manual_seed(0))


def model(seed: int = 0, **forward: object) -> Model:
    return Model("encoder", encoder(seed), (0.5,), (0.25,), 32, forward=forward)


@pytest.mark.parametrize(("key", "neurons"), [("mouse1", 5), ("mouse2", 7)])
def test_what_the_network_returns_for_a_data_key_is_a_layer(key: str, neurons: int) -> None:
    found = Backbone(model(data_key=key), ["output", f"readouts.{key}"])
    maps = found(PICTURES)
    expected = encoder()((PICTURES - 0.5) / 0.25, key)
    assert found.layers["output"].channels == neurons
    torch.testing.assert_close(maps["output"][:, :, 0, 0], expected)
    assert maps[f"readouts.{key}"].shape == maps["output"].shape


def test_numbers_in_a_list_are_a_row_for_each_picture() -> None:
    maps = Backbone(model(data_key="mouse1", behavior=[0.5]), ["output"])(PICTURES)["output"]
    torch.testing.assert_close(maps, 1.5 * Backbone(model(data_key="mouse1"), ["output"])(PICTURES)["output"])


def test_the_network_that_is_handed_over_gets_no_arguments() -> None:
    own = encoder()
    Model("encoder", own, (0.5,), (0.25,), 32, forward={"data_key": "mouse1"})
    assert not own._forward_pre_hooks
    assert copy.deepcopy(own)(PICTURES, "mouse2").shape == (2, 7)


def test_other_arguments_make_another_network() -> None:
    sums = {model(data_key="mouse1").checksum, model(data_key="mouse2").checksum, model(1, data_key="mouse1").checksum}
    assert len(sums) == 3


@pytest.mark.parametrize(
    ("forward", "setting", "got", "nearest"),
    [
        ({"data_key": "mouse3"}, "model.forward.data_key", "mouse3", "mouse2"),
        ({"data_keys": "mouse1"}, "model.forward.data_keys", "data_keys", "data_key"),
    ],
)
def test_unknown_keys_and_arguments_are_told_with_the_nearest(
    forward: dict[str, str], setting: str, got: str, nearest: str
) -> None:
    assert_refused(lambda: model(**forward), setting, got, nearest)


def test_a_missing_argument_or_size_is_told_with_what_to_type() -> None:
    class Keyed(nn.Linear):
        def forward(self, pictures: Tensor, data_key: str) -> Tensor:
            return super().forward(pictures.flatten(1))

    class Film(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.readout = nn.Conv3d(1, 2, 3), nn.Linear(9, 2)

        def forward(self, film: Tensor) -> Tensor:
            return self.readout(self.conv(film).flatten(1))

    hints = [refusal_of(lambda net=net: trace(Model("n", net))).hint for net in (Keyed(64, 2), Film())]
    assert hints == ["model.forward.data_key=... gives it one", "model.size='[frames,height,width]' says what it takes"]


def test_settings_and_python_values_make_the_same_picture_of_a_neuron() -> None:
    overrides = ["image=pixel", "image.bound=none", "schedule.size=32", "schedule.steps=3", "evidence=none"]
    overrides += ["projections=[norm,clip]", "relations=false"]
    ours = featviz.visualize(model(data_key="mouse2"), "output", [6], "plain", overrides=overrides)
    typed = ["model.target=encoders.encoder", "model.weights=given", "model.forward={data_key: mouse2}"]
    typed += ["model.size=32", "model.mean=0.5", "model.std=0.25", *overrides]
    assert torch.equal(featviz.visualize("own", "output", [6], "plain", overrides=typed).images, ours.images)


def test_output_is_the_last_module_where_that_returns_what_the_network_does() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(4 * 14 * 14, 6))
    traced = trace(Model("plain", network, (0.5,), (0.25,), 16))
    assert traced.resolve("output") == traced.resolve("2")


def test_logits_are_not_what_is_computed_behind_the_last_module() -> None:
    traced = trace(model(data_key="mouse1"))
    assert traced.resolve("logits").name == "readouts.mouse1"
    assert "output" not in traced.layers
    assert refusal_of(lambda: traced.resolve("outputt")).nearest[0] == "output"
