"""Transformers as they are: which axis holds the filters, what is a patch, and what stands beside the patches.

And two networks that rectify by functions. All weights are random.
"""

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
import torch
from fitting import fit
from numpy.typing import NDArray
from program import made, refused
from torch import Tensor, nn

from featviz.images.fourier import FourierImage
from featviz.models.backbone import Backbone
from featviz.models.model import Model
from featviz.models.sources import timm, torchvision
from featviz.objectives import Channel, Direction, Neuron, WholeLayer
from featviz.optim.method import Method
from featviz.optim.schedules import constant
from featviz.optim.visualizer import FilterVisualizer
from featviz.results.folder import read_rows

FILTERS = [3, 90]
BUILD: dict[str, Callable[[], Model]] = {
    "vit_b_16": partial(torchvision.load, "vit_b_16", weights="random"),
    "vit_tiny": partial(timm.load, "vit_tiny_patch16_224", weights="random"),
    "swin_tiny": partial(timm.load, "swin_tiny_patch4_window7_224", weights="random"),
    "registers": partial(timm.load, "vit_small_patch14_reg4_dinov2", weights="random", kwargs={"img_size": 112}),
}
#: Network, layer, filters, positions along a side, tokens before the patches'.
LAYERS = [
    ("vit_b_16", "encoder.layers.encoder_layer_1", 768, 14, 1),
    ("vit_b_16", "encoder.layers.encoder_layer_1.mlp.1", 3072, 14, 1),
    ("vit_tiny", "blocks.2", 192, 14, 1),
    ("vit_tiny", "blocks.2.mlp.act", 768, 14, 1),
    ("vit_tiny", "layer4", 192, 14, 1),
    ("swin_tiny", "layers.0.blocks.1", 96, 56, 0),
    ("swin_tiny", "layers.1.blocks.0.mlp.act", 768, 28, 0),
    ("swin_tiny", "layer4", 768, 7, 0),
    ("registers", "blocks.2", 384, 8, 5),
    ("registers", "blocks.2.mlp.act", 1536, 8, 5),
]
each_layer = pytest.mark.parametrize(("name", "layer", "filters", "side", "before"), LAYERS)


@pytest.fixture(scope="module")
def networks() -> dict[str, Model]:
    return {name: build() for name, build in BUILD.items()}


def pictures(model: Model) -> Tensor:
    return torch.rand(2, 3, model.size, model.size, generator=torch.Generator().manual_seed(0))


def hooked(model: Model, module: str, inputs: Tensor) -> NDArray[np.float32]:
    """What the module hands out, by a hook of our own on the network as it is."""
    caught: list[Tensor] = []
    handle = model.network.get_submodule(module).register_forward_hook(lambda _m, _i, output: caught.append(output))
    mean, std = (torch.tensor(values).view(1, -1, 1, 1) for values in (model.mean, model.std))
    with torch.no_grad():
        model.network((inputs - mean) / std)
    handle.remove()
    return caught[-1].numpy()


@each_layer
def test_filters_and_patches_are_those_that_a_hook_sees(
    name: str, layer: str, filters: int, side: int, before: int, networks: dict[str, Model]
) -> None:
    model, inputs = networks[name], pictures(networks[name])
    backbone = Backbone(model, [layer])
    tokens = hooked(model, backbone.layers[layer].name, inputs).reshape(2, -1, filters)
    assert tokens.shape == (2, before + side**2, filters)
    assert backbone.layers[layer].channels == filters
    with torch.no_grad():
        maps = backbone(inputs)
    means, nearest = Channel(layer, FILTERS)(maps).numpy(), {"rtol": 1e-3, "atol": 1e-5}
    expected = np.array([tokens[i, before:, number].mean() for i, number in enumerate(FILTERS)])
    np.testing.assert_allclose(means, expected, **nearest)
    if before:
        assert not np.allclose(means, [tokens[i, :, number].mean() for i, number in enumerate(FILTERS)], **nearest)
    row, column = side - 2, 1
    patch = tokens[:, before + row * side + column]
    neurons = Neuron(layer, FILTERS, (row, column))(maps)
    np.testing.assert_allclose(neurons, [patch[i, number] for i, number in enumerate(FILTERS)], **nearest)
    center = tokens[:, before + side // 2 * side + side // 2]
    np.testing.assert_allclose(
        Neuron(layer, FILTERS)(maps), [center[i, number] for i, number in enumerate(FILTERS)], **nearest
    )
    np.testing.assert_allclose(
        WholeLayer(layer, [0])(maps), (tokens[:, before:] ** 2).mean((1, 2)) / 2, rtol=1e-3, atol=1e-5
    )
    vector = np.random.default_rng(0).normal(size=filters)
    np.testing.assert_allclose(
        Direction(layer, [0], vector.tolist(), 0)(maps), (tokens[:, before:] @ vector).mean(1), rtol=1e-3, atol=1e-3
    )


@pytest.mark.parametrize(
    ("name", "layer", "side"),
    [("vit_b_16", "encoder.layers.encoder_layer_0", 14), ("vit_tiny", "blocks.0", 14), ("registers", "blocks.0", 8)],
)
def test_a_neuron_looks_most_at_the_patch_of_its_position(
    name: str, layer: str, side: int, networks: dict[str, Model]
) -> None:
    model, position = networks[name], (2, side - 3)
    inputs = pictures(model).requires_grad_()
    score = Neuron(layer, FILTERS, position)(Backbone(model, [layer])(inputs))
    (gradient,) = torch.autograd.grad(score.sum(), inputs)
    patches = nn.functional.avg_pool2d(gradient.square().sum(1), model.size // side)
    assert patches.shape == (2, side, side)
    assert [divmod(int(at), side) for at in patches.flatten(1).argmax(1)] == [position] * 2


def test_a_neuron_of_swin_looks_at_its_own_window_and_most_at_its_own_place(networks: dict[str, Model]) -> None:
    inputs = pictures(networks["swin_tiny"])[:1].requires_grad_()
    layer = "layers.0.blocks.0"  # windows of 7 x 7 positions, 4 px each, not yet shifted
    score = Neuron(layer, [3], (16, 37))(Backbone(networks["swin_tiny"], [layer])(inputs))
    (gradient,) = torch.autograd.grad(score.sum(), inputs)
    places = nn.functional.avg_pool2d(gradient.square().sum(1), 4)[0]
    assert divmod(int(places.argmax()), 56) == (16, 37)
    expected = torch.zeros(56, 56, dtype=torch.bool)
    expected[14:21, 35:42] = True
    assert torch.equal(places > 0, expected)


TYPED = {
    "vit_b_16": ("model=vit_b_16", "layer=encoder.layers.encoder_layer_1.mlp.1"),
    "vit_tiny": ("model=timm", "model.name=vit_tiny_patch16_224", "layer=blocks.2.mlp.act"),
    "swin_tiny": ("model=timm", "model.name=swin_tiny_patch4_window7_224", "layer=layers.1.blocks.0.mlp.act"),
}
SHORT = ("model.weights=random", "schedule.size=64", "logger=none", "callbacks=none", "evidence=none")


@pytest.mark.end_to_end
@pytest.mark.parametrize(
    ("name", "objective"),
    [("vit_b_16", "channel"), *((name, kind) for name in ("vit_tiny", "swin_tiny") for kind in ("channel", "neuron"))],
)
def test_steps_lead_up_in_a_feed_forward_activation(name: str, objective: str) -> None:
    more = (f"objective={objective}", "filters=[3,90]", "schedule.steps=2", "restarts=0", "transforms=none")
    rows = read_rows(made(*TYPED[name], *SHORT, *more))
    assert [(row["filter"], row["status"], row["weights"]) for row in rows] == [
        (3, "ok", "random"),
        (90, "ok", "random"),
    ]
    assert all(float(row["activation"]) > float(row["start_activation"]) for row in rows)


@pytest.mark.end_to_end
def test_a_position_outside_the_patches() -> None:
    line = refused(*TYPED["vit_tiny"], *SHORT, "objective=neuron", "objective.position=[14,0]")
    assert "blocks.2.mlp.act has 14 x 14 positions for the run's smallest pictures, [0, 0] to [13, 13]" in line


#: Networks whose ``forward`` calls the rectifier as a function, the batch norm before one, and a layer that it shuts.
FUNCTIONAL = {
    "googlenet": ("inception3a.branch3.0.bn", "inception3a.branch3.0"),
    "densenet121": ("features.norm0", "features.relu0"),
}


@pytest.mark.parametrize("name", FUNCTIONAL)
def test_only_redirected_steps_move_a_filter_behind_a_closed_functional_rectifier(name: str) -> None:
    norm, layer = FUNCTIONAL[name]
    model = torchvision.load(name, weights="random")
    with torch.no_grad():
        model.network.get_submodule(norm).bias[3] = -50
    model.size = 48
    backbone, moved = Backbone(model, [layer]), {}
    for redirected in (0, 2):
        method = Method(FourierImage, constant(48, 2), partial(torch.optim.Adam, lr=0.05), redirect_steps=redirected)
        visualizer = FilterVisualizer(backbone, method, layer, [3])
        before = visualizer.pictures()
        fit(visualizer)
        moved[redirected] = not torch.equal(visualizer.pictures(), before)
    assert moved == {0: False, 2: True}
