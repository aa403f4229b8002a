"""Outputs of shape (tokens, N, C), as torch's own attention has them unless it is told ``batch_first``."""

import pytest
import torch
from refusals import assert_refused
from torch import Tensor, nn

import featviz
from featviz.metrics.relations.expanded_weights import expanded_weights
from featviz.metrics.relations.segment import Segment
from featviz.models.backbone import Backbone
from featviz.models.layouts import Layout, find_tokens_first_layout
from featviz.models.tracing import trace

SIDE, WIDTH = 4, 12  # patches along a side, and numbers of each


class Plain(nn.Module):
    """Torch's encoder as it comes; the activation after it is called before it, too."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.act = nn.Conv2d(3, WIDTH, 8, 8), nn.GELU()
        self.start = nn.Parameter(torch.randn(1, 1, WIDTH))
        block = nn.TransformerEncoderLayer(WIDTH, 2, 20)
        self.encoder = nn.TransformerEncoder(block, 2, enable_nested_tensor=False)
        self.fc = nn.Linear(WIDTH, 5)

    def tokens(self, pictures: Tensor) -> Tensor:
        tokens = self.embed(pictures).flatten(2).permute(2, 0, 1)
        return torch.cat([self.start.expand(1, len(pictures), WIDTH), tokens])

    def forward(self, pictures: Tensor) -> Tensor:
        logits: Tensor = self.fc(self.act(self.encoder(self.act(self.tokens(pictures))))[0])
        return logits


class Shuffled(Plain):
    """Its tokens stand in no order of the picture's."""

    def tokens(self, pictures: Tensor) -> Tensor:
        order = torch.randperm(SIDE**2, generator=torch.Generator().manual_seed(1))
        return super().tokens(pictures)[torch.cat([torch.tensor([0]), 1 + order])]


class Merged(nn.Module):
    """Each patch is a picture of its own to what follows: (N · patches, 1, C)."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.fc = nn.Conv2d(3, WIDTH, 8, 8), nn.Linear(WIDTH, WIDTH)

    def forward(self, pictures: Tensor) -> Tensor:
        patches: Tensor = self.embed(pictures).flatten(2).transpose(1, 2).reshape(-1, 1, WIDTH)
        return self.fc(patches).reshape(len(pictures), -1, WIDTH).mean(1)  # type: ignore[no-any-return]


def model_of(build: type[nn.Module]) -> featviz.Model:
    torch.manual_seed(0)
    return featviz.Model("m", build().eval(), (0.0,), (1.0,), 8 * SIDE, "given")


def hooked(network: nn.Module, module: str, pictures: Tensor) -> list[Tensor]:
    """What a module returns, call by call."""
    outputs: list[Tensor] = []
    handle = network.get_submodule(module).register_forward_hook(lambda _m, _i, out: outputs.append(out))
    with torch.no_grad():
        network(pictures)
    handle.remove()
    return outputs


@pytest.mark.parametrize(("wide", "grids"), [(None, ((4, 4),)), ((24, 1, 5), ()), ((25, 1, 5), ((4, 4),))])
def test_where_the_filters_are(wide: tuple[int, ...] | None, grids: tuple[tuple[int, int], ...]) -> None:
    prefix = 1 if grids else 0
    for before in (None, Layout(2, prefix, batch_axis=1)):
        found = find_tokens_first_layout((17, 1, 5), wide, grids, None, before)
        assert found == Layout(2, prefix, batch_axis=1)


@pytest.mark.parametrize("build", [Plain, Shuffled])
def test_each_picture_has_its_own_maps(build: type[nn.Module]) -> None:
    model, pictures = model_of(build), torch.rand(3, 3, 32, 32)
    layers = ["encoder.layers.0.linear1", "encoder", "act:1", "act"]
    calls = [hooked(model.network, layer.partition(":")[0], pictures)[0 if ":1" in layer else -1] for layer in layers]
    backbone = Backbone(model, layers)
    for some in (slice(0, 3), slice(1, 2)):
        maps = backbone(pictures[some])
        for layer, tokens in zip(layers, calls, strict=True):
            expected = tokens[1:, some].permute(1, 2, 0).unflatten(2, (SIDE, SIDE))
            torch.testing.assert_close(maps[layer], expected, rtol=1e-4, atol=1e-5)


def test_they_are_handed_out_as_the_layer_does() -> None:
    model, pictures = model_of(Plain), torch.rand(1, 3, 32, 32)
    (tokens,) = hooked(model.network, "encoder.layers.1", pictures)
    found = Backbone(model, ["encoder.layers.1"]).outputs(pictures)["encoder.layers.1"]
    torch.testing.assert_close(found, tokens, rtol=1e-4, atol=1e-5)


def test_a_position_is_a_patch_where_they_stand_in_order() -> None:
    plain, shuffled = (trace(model_of(build)).resolve("encoder") for build in (Plain, Shuffled))
    assert (plain.channels, plain.stride(32)) == (shuffled.channels, shuffled.stride(32)) == (WIDTH, 8)
    assert plain.layout == Layout(2, 1, batch_axis=1)
    assert shuffled.layout == Layout(2, 1, ordered=False, batch_axis=1)


def test_weights_between_two_layers_are_those_of_the_linear_map() -> None:
    model = model_of(Plain)
    traced = trace(model)
    source, target = (traced.resolve(f"encoder.layers.0.{name}") for name in ("norm1", "linear1"))
    weights = expanded_weights(Segment(model, traced, source, target, torch.device("cpu")), [3, 7])
    linear = model.network.get_submodule("encoder.layers.0.linear1").weight
    torch.testing.assert_close(weights.sum(2), linear[[3, 7]].detach(), rtol=1e-4, atol=1e-5)


def test_what_has_no_axis_for_pictures_is_refused() -> None:
    assert_refused(lambda: Backbone(model_of(Merged), ["fc"]), "layer", "fc", "a layer inside it")
