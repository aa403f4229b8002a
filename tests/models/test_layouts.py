from functools import partial

import pytest
import timm
import torch
import torchvision
from refusals import assert_refused
from torch import nn

from featviz.models.backbone import Backbone
from featviz.models.layouts import Layout, find_layout
from featviz.models.model import Model
from featviz.models.receptive_field import receptive_fields
from featviz.models.tracing import trace
from featviz.objectives import Channel, Neuron
from featviz.shapes import Shape


def on_meta(build: object, size: int = 224, **kwargs: object) -> Model:
    with torch.device("meta"):
        network = build(**kwargs)
    return Model("m", network, (0.0,), (1.0,), size, "random")


FOUND = {
    "channels first": ((1, 8, 6, 6), (1, 8, 6, 9), (), Layout(1)),
    "channels last": ((1, 6, 6, 8), (1, 6, 9, 8), (), Layout(3)),
    "channels first, all sides alike": ((1, 8, 8, 8), (1, 8, 8, 12), (), Layout(1)),
    "channels last, all sides alike": ((1, 8, 8, 8), (1, 8, 12, 8), (), Layout(3)),
    "channels first, as many filters as rows of the wide one": ((1, 9, 6, 6), (1, 9, 6, 9), (), Layout(1)),
    "channels first, both sides change": ((1, 8, 6, 6), (1, 8, 5, 9), (), Layout(1)),
    "channels first, one size only": ((1, 8, 6, 6), None, (), Layout(1)),
    "channels last, one size only": ((1, 6, 6, 8), None, (), Layout(3)),
    "pooled to one place, channels first": ((1, 8, 1, 1), (1, 8, 1, 1), (), Layout(1)),
    "pooled to one place, channels last": ((1, 1, 1, 8), (1, 1, 1, 8), (), Layout(3)),
    "pooled to a fixed grid": ((1, 8, 7, 7), (1, 8, 7, 7), (), Layout(1)),
    "tokens": ((1, 16, 5), (1, 24, 5), ((4, 4),), Layout(2, 0)),
    "tokens after a class token": ((1, 17, 5), (1, 25, 5), ((8, 8), (4, 4)), Layout(2, 1)),
    "tokens after registers": ((1, 21, 5), (1, 29, 5), ((4, 4),), Layout(2, 5)),
    "tokens, one size only": ((1, 17, 5), None, ((4, 4),), Layout(2, 1)),
    "tokens last": ((1, 5, 16), (1, 5, 24), ((4, 4),), Layout(1, 0)),
    "tokens last, one size only": ((1, 5, 16), None, ((4, 4),), Layout(1, 0)),
    "tokens last, as many channels as tokens with a class": ((1, 17, 16), (1, 17, 24), ((4, 4),), Layout(1, 0)),
    "as many channels as patches": ((1, 16, 16), (1, 24, 16), ((4, 4),), Layout(2, 0)),
    "tokens of an unknown grid": ((1, 50, 5), (1, 70, 5), (), Layout(2, 0)),
    "a vector": ((1, 10), (1, 10), (), Layout(1)),
    "a number for each picture": ((1,), (1,), (), None),
    "video": ((1, 2, 3, 4, 5), None, (), None),
}


@pytest.mark.parametrize("case", FOUND)
def test_axis_of_the_filters(case: str) -> None:
    square, wide, grids, expected = FOUND[case]
    assert find_layout(square, wide, grids) == expected


class Norm2d(nn.LayerNorm):
    """Normalizes over axis 1, as those of timm and torchvision do."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x.movedim(1, -1)).movedim(-1, 1)


BY_KIND = {
    "windows of tokens, linear": ((1, 64, 49, 256), nn.Linear(64, 256), Layout(3, ordered=False)),
    "heads of tokens, norm": ((1, 3, 16, 8), nn.LayerNorm(8), Layout(3, ordered=False)),
    "as many filters as rows, convolution": ((1, 8, 8, 6), nn.Conv2d(3, 8, 1), Layout(1)),
    "as many filters as rows, linear": ((1, 8, 8, 8), nn.Linear(3, 8), Layout(3)),
    "as many filters as rows, norm": ((1, 8, 8, 8), nn.LayerNorm(8), Layout(3)),
    "batch norm": ((1, 8, 8, 6), nn.BatchNorm2d(8), Layout(1)),
    "a derived norm over axis 1": ((1, 8, 6, 6), Norm2d(8), Layout(1)),
    "linear on few tokens": ((1, 5, 16), nn.Linear(3, 16), Layout(2)),
    "convolution of a sequence": ((1, 16, 5), nn.Conv1d(3, 16, 1), Layout(1)),
    "linear": ((1, 16), nn.Linear(3, 16), Layout(1)),
}


@pytest.mark.parametrize("case", BY_KIND)
def test_the_kind_of_a_module_decides(case: str) -> None:
    shape, module, expected = BY_KIND[case]
    assert find_layout(shape, None, ((4, 4),), module) == expected


class Windows(nn.Module):
    """Cuts a feature map into windows, and puts them together."""

    def __init__(self, mixed: bool) -> None:
        super().__init__()
        self.conv, self.act, self.fc, self.gelu = nn.Conv2d(3, 6, 4, 4), nn.GELU(), nn.Linear(6, 12), nn.GELU()
        self.out, self.tokens, self.last = nn.Conv2d(12, 5, 1), nn.Linear(5, 7), nn.Linear(7, 7)
        self.mixed = mixed

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.act(self.conv(x)).unflatten(3, (2, 4)).unflatten(2, (2, 4)).permute(0, 2, 4, 3, 5, 1)
        y = self.gelu(self.fc(y.reshape(len(x), 4, 16, 6))).reshape(len(x), 2, 2, 4, 4, 12)
        y = self.out(y.permute(0, 5, 1, 3, 2, 4).reshape(len(x), 12, 8, 8)).flatten(2).transpose(1, 2)
        y = y[:, torch.randperm(64, generator=torch.Generator().manual_seed(1))] if self.mixed else y
        out: torch.Tensor = self.last(self.tokens(y))
        return out


@pytest.mark.parametrize("mixed", [False, True])
def test_positions_that_do_not_stand_as_in_the_picture_are_found(mixed: bool) -> None:
    torch.manual_seed(0)
    model = Model("windows", Windows(mixed), (0.0,), (1.0,), 32, "random")
    found = trace(model)
    assert {name: found.resolve(name).layout for name in ("conv", "act", "out")} == dict.fromkeys(
        ("conv", "act", "out"), Layout(1)
    )
    assert [(found.resolve(name).channels, found.resolve(name).layout) for name in ("fc", "gelu")] == [
        (12, Layout(3, ordered=False))
    ] * 2
    for name in ("tokens", "last"):
        assert found.resolve(name).layout == Layout(2, ordered=not mixed)
        backbone = Backbone(model, [name], found)
        if mixed:
            prepare = partial(Neuron(name, [0]).prepare, backbone)
            assert_refused(prepare, "layer", name, "objective=channel, or another layer")
            assert receptive_fields(model, [name])[name].rows is None
        else:
            Neuron(name, [0]).prepare(backbone)
        Channel(name, [0]).prepare(backbone)


def test_hiera_mixes_its_tokens() -> None:
    torch.manual_seed(0)
    network = timm.create_model("hiera_tiny_224")
    found = trace(Model("hiera", network, (0.5,), (0.25,), 224, "random"))
    assert [found.resolve(name).layout.ordered for name in ("patch_embed", "blocks.0", "blocks.2")] == [
        True,
        False,
        False,
    ]


def test_every_layout_hands_out_the_same_feature_maps() -> None:
    maps = torch.rand(2, 5, 4, 6)
    tokens = maps.flatten(2).mT
    prefix = torch.rand(2, 3, 5)
    assert torch.equal(Layout(1).feature_maps(maps, Shape((32, 48))), maps)
    assert torch.equal(Layout(3).feature_maps(maps.movedim(1, 3), Shape((32, 48))), maps)
    assert torch.equal(Layout(2).feature_maps(tokens, Shape((32, 48))), maps)
    assert torch.equal(Layout(2, 3).feature_maps(torch.cat([prefix, tokens], 1), Shape((32, 48))), maps)
    assert torch.equal(Layout(1, 0).feature_maps(tokens.mT, Shape((32, 48))), maps)
    assert torch.equal(Layout(1).feature_maps(maps[:, :, 0, 0], Shape((32, 48))), maps[:, :, :1, :1])


def test_tokens_that_fill_no_grid_become_one_row() -> None:
    tokens = torch.rand(2, 7, 3)
    assert torch.equal(Layout(2).feature_maps(tokens, Shape((32, 32))), tokens.mT[:, :, None])


@pytest.mark.parametrize(
    ("build", "kwargs", "block", "prefix"),
    [
        (timm.create_model, {"model_name": "vit_tiny_patch16_224", "pretrained": False}, "blocks.3", 1),
        (
            timm.create_model,
            {"model_name": "vit_small_patch14_reg4_dinov2", "pretrained": False, "img_size": 224},
            "blocks.3",
            5,
        ),
        (torchvision.models.vit_b_16, {}, "encoder.layers.encoder_layer_3", 1),
    ],
)
def test_transformers_with_class_and_register_tokens(
    build: object, kwargs: dict[str, object], block: str, prefix: int
) -> None:
    found = trace(on_meta(build, **kwargs))
    layer = found.resolve(block)
    assert not found.accepts_other_sizes
    assert layer.layout == Layout(2, prefix)
    assert layer.channels == layer.shape[2]
    assert layer.stride(224) in (14, 16)


def test_swin_hands_out_channels_last() -> None:
    found = trace(on_meta(torchvision.models.swin_t))
    assert {name: found.resolve(f"features.{name}").layout for name in "1357"} == dict.fromkeys("1357", Layout(3))
    assert [found.resolve(f"features.{name}").channels for name in "1357"] == [96, 192, 384, 768]
    assert [found.resolve(stage).stride(224) for stage in found.stages] == [4, 8, 16, 32]


class Mixed(nn.Module):
    """Channels last after channels first, as many of them as there are rows and columns."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 4, 4)
        self.norm = nn.LayerNorm(8)
        self.back = nn.Conv2d(8, 5, 1)
        self.head = nn.Linear(5, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.norm(self.conv(x).permute(0, 2, 3, 1))
        return self.head(self.back(x.permute(0, 3, 1, 2)).mean((2, 3)))


def test_a_network_that_mixes_layouts_with_as_many_channels_as_rows() -> None:
    found = trace(Model("m", Mixed(), (0.0,), (1.0,), 32, "random"))
    layouts = {name: layer.layout for name, layer in found.layers.items()}
    assert found.layers["norm"].shape == (1, 8, 8, 8)
    assert layouts == {"conv": Layout(1), "norm": Layout(3), "back": Layout(1), "head": Layout(1)}
    assert [found.layers[name].stride(32) for name in layouts] == [4, 4, 4, None]


class LooksAround(nn.Module):
    """A class token before 16 patches looks at all of them, through weights (1, heads, 1, tokens)."""

    def __init__(self) -> None:
        super().__init__()
        self.patches, self.weights = nn.Conv2d(3, 8, 4, 4), nn.Dropout(0.1)
        self.values = nn.Linear(8, 8)
        self.token = nn.Parameter(torch.zeros(1, 1, 8))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        tokens = torch.cat([self.token, self.patches(x).flatten(2).mT], 1)
        heads = tokens.unflatten(2, (2, 4)).transpose(1, 2)
        weights = self.weights((heads[:, :, :1] @ heads.mT).softmax(-1))
        seen = (weights @ heads).transpose(1, 2).flatten(2)
        values: torch.Tensor = self.values(torch.cat([tokens[:, :1] + seen, tokens[:, 1:]], 1))
        return values


def test_what_a_class_token_looks_at_is_no_grid() -> None:
    found = trace(Model("m", LooksAround(), (0.0,), (1.0,), 16, "random"))
    assert found.layers["weights"].shape == (1, 2, 1, 17)
    assert found.resolve("values").layout == Layout(2, prefix_tokens=1)
    assert found.resolve("values").stride(16) == 4
