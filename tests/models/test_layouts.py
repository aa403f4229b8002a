import pytest
import timm
import torch
import torchvision
from torch import nn

from featviz.models.layouts import Layout, find_layout
from featviz.models.model import Model
from featviz.models.tracing import trace


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


def test_every_layout_hands_out_the_same_feature_maps() -> None:
    maps = torch.rand(2, 5, 4, 6)
    tokens = maps.flatten(2).mT
    prefix = torch.rand(2, 3, 5)
    assert torch.equal(Layout(1).feature_maps(maps, 32, 48), maps)
    assert torch.equal(Layout(3).feature_maps(maps.movedim(1, 3), 32, 48), maps)
    assert torch.equal(Layout(2).feature_maps(tokens, 32, 48), maps)
    assert torch.equal(Layout(2, 3).feature_maps(torch.cat([prefix, tokens], 1), 32, 48), maps)
    assert torch.equal(Layout(1, 0).feature_maps(tokens.mT, 32, 48), maps)
    assert torch.equal(Layout(1).feature_maps(maps[:, :, 0, 0], 32, 48), maps[:, :, :1, :1])


def test_tokens_that_fill_no_grid_become_one_row() -> None:
    tokens = torch.rand(2, 7, 3)
    assert torch.equal(Layout(2).feature_maps(tokens, 32, 32), tokens.mT[:, :, None])


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
