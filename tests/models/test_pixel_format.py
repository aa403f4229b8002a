"""Networks for BGR and for values up to 255: the same as a hand-made preprocessing, and the network stays as it is."""

import copy
from functools import partial

import pytest
import torch
from refusals import assert_refused
from tiny_networks import Tiny
from torch import nn

import featviz
from featviz.errors import FeatvizError
from featviz.models.model import Model
from featviz.models.preprocessing import Preprocessing
from featviz.models.sources.own import from_module

CAFFE_MEAN = (103.939, 116.779, 123.68)  # B, G, R: of the VGG networks in Caffe
PICTURES = torch.rand(2, 3, 48, 48, generator=torch.Generator().manual_seed(0))


def network() -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Tiny().eval()


@pytest.mark.parametrize("copies", [1, 2])
def test_caffes_pictures(copies: int) -> None:
    own = network()
    model = Model("caffe", own, CAFFE_MEAN, (1.0,), 48, "given", channel_order="bgr", scale=255)
    for _ in range(copies - 1):  # the order is turned around once
        model = Model("again", model.network, CAFFE_MEAN, (1.0,), 48, "given", channel_order="bgr", scale=255)
    blue_first = PICTURES[:, [2, 1, 0]] * 255 - torch.tensor(CAFFE_MEAN).view(1, 3, 1, 1)
    ours = featviz.activations(model, PICTURES, "first")["first"]
    torch.testing.assert_close(ours, own.first(blue_first).detach(), atol=1e-3, rtol=1e-4)
    assert model.mean == pytest.approx([value / 255 for value in reversed(CAFFE_MEAN)])
    assert model.describe_input().endswith("the network's own reach 255, in the order BGR")


def test_the_network_that_was_handed_over_stays_as_it_is() -> None:
    own = network()
    before = copy.deepcopy(own)(PICTURES)
    from_module(own, channel_order="bgr", size=48)
    assert torch.equal(own(PICTURES), before)
    assert not own._forward_pre_hooks


def test_a_network_for_blue_first_makes_the_pictures_of_its_twin_with_the_colors_in_order() -> None:
    twin, own = network(), network()
    own.first.weight.data = own.first.weight.data.flip(1)
    settings = ["schedule.steps=3", "schedule.size=48", "callbacks=none", "evidence=none"]
    pictures = [
        featviz.visualize(model, "second", [0, 1], overrides=settings).images
        for model in (from_module(twin, size=48), from_module(own, size=48, channel_order="bgr"))
    ]
    torch.testing.assert_close(*pictures, atol=2 / 255, rtol=0)


def test_what_a_library_says_of_its_networks_is_for_red_first_and_values_up_to_one() -> None:
    usual = Preprocessing((0.1, 0.2, 0.3), (0.4, 0.5, 0.6), 48)
    assert usual.for_pixels("bgr", 10) == Preprocessing((3.0, 2.0, 1.0), (6.0, 5.0, 4.0), 48)
    assert Preprocessing().for_pixels("bgr", 255) == Preprocessing()  # pictures as they are, up to 255


@pytest.mark.parametrize(
    ("settings", "setting", "got"),
    [
        ({"channel_order": "grb"}, "model.channel_order", "grb"),
        ({"scale": 0}, "model.scale", 0),
        ({"scale": -255.0}, "model.scale", -255.0),
    ],
)
def test_formats_that_do_not_exist_are_refused(settings: dict[str, object], setting: str, got: object) -> None:
    with pytest.raises(FeatvizError) as refused:
        from_module(network(), size=48, **settings)
    assert (refused.value.setting, refused.value.got) == (setting, got)


def test_an_order_needs_three_channels() -> None:
    build = partial(from_module, Tiny(1), size=48, channel_order="bgr")
    assert_refused(build, "model.channel_order", "bgr", "rgb, the pictures' own")
