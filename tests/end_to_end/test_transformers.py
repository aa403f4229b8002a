"""Transformers as they are: which axis holds the filters, what is a patch, and what stands beside the patches.

All weights are random.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from fitting import fit
from numpy.typing import NDArray
from program import PLAIN, made, refused
from torch import Tensor, nn
from torchvision.models import VisionTransformer

from featviz.images.fourier import FourierImage
from featviz.models.backbone import Backbone
from featviz.models.model import Model, seeded
from featviz.models.sources import timm
from featviz.objectives import Channel, Direction, Neuron, Objective, WholeLayer
from featviz.optim.method import Method
from featviz.optim.schedules import constant
from featviz.optim.visualizer import FilterVisualizer
from featviz.results.folder import read_rows

FILTERS = [3, 12]


def vit() -> Model:
    """torchvision's, as vit_b_16 but for its width and depth."""
    with seeded(0):
        network = VisionTransformer(224, 16, num_layers=3, num_heads=2, hidden_dim=32, mlp_dim=128)
    return Model("vit", network.eval(), (0.485, 0.456, 0.406), (0.229, 0.224, 0.225), 224, "random")


def of_timm(name: str, **kwargs: Any) -> Callable[[], Model]:
    return partial(timm.load, name, weights="random", kwargs=kwargs)


SMALL: dict[str, Any] = {"depth": 3, "embed_dim": 48, "num_heads": 3}
SMALL_SWIN: dict[str, Any] = {"embed_dim": 16, "depths": [2, 2, 2, 2], "num_heads": [1, 2, 4, 8]}
BUILD: dict[str, Callable[[], Model]] = {
    "vit": vit,
    "vit_tiny": of_timm("vit_tiny_patch16_224", **SMALL),
    "swin_tiny": of_timm("swin_tiny_patch4_window7_224", **SMALL_SWIN),
    "registers": of_timm("vit_small_patch14_reg4_dinov2", img_size=112, **SMALL),
}
#: Network, layer, filters, positions along a side, tokens before the patches'.
LAYERS = [
    ("vit", "encoder.layers.encoder_layer_1", 32, 14, 1),
    ("vit", "encoder.layers.encoder_layer_1.mlp.1", 128, 14, 1),
    ("vit_tiny", "blocks.2", 48, 14, 1),
    ("vit_tiny", "blocks.2.mlp.act", 192, 14, 1),
    ("vit_tiny", "layer4", 48, 14, 1),
    ("swin_tiny", "layers.0.blocks.1", 16, 56, 0),
    ("swin_tiny", "layers.1.blocks.0.mlp.act", 128, 28, 0),
    ("swin_tiny", "layer4", 128, 7, 0),
    ("registers", "blocks.2", 48, 8, 5),
    ("registers", "blocks.2.mlp.act", 192, 8, 5),
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
    [("vit", "encoder.layers.encoder_layer_0", 14), ("vit_tiny", "blocks.0", 14), ("registers", "blocks.0", 8)],
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


#: A feed-forward activation of each, and side of its positions for pictures of 64 px.
FEED_FORWARD = {
    "vit": "encoder.layers.encoder_layer_1.mlp.1",
    "vit_tiny": "blocks.2.mlp.act",
    "swin_tiny": "layers.1.blocks.0.mlp.act",
}


@pytest.mark.parametrize("name", FEED_FORWARD)
@pytest.mark.parametrize("objective", [Channel, Neuron])
def test_steps_lead_up_in_a_feed_forward_activation(
    name: str, objective: type[Objective], networks: dict[str, Model]
) -> None:
    layer = FEED_FORWARD[name]
    method = Method(FourierImage, constant(64, 2), partial(torch.optim.Adam, lr=0.05), objective)
    visualizer = FilterVisualizer(Backbone(networks[name], [layer]), method, layer, FILTERS)
    _, before = visualizer.measure(visualizer.pictures())
    fit(visualizer)
    _, after = visualizer.measure(visualizer.pictures())
    assert (after > before).all()


TYPED = ("model=timm", "model.name=vit_tiny_patch16_224", "model.weights=random", "layer=blocks.2.mlp.act")
DEPTH = "+model.kwargs={depth:3,embed_dim:48,num_heads:3}"
SHORT = ("schedule.size=64", "schedule.steps=2", *PLAIN, "transforms=none")


@pytest.mark.end_to_end
def test_a_whole_run() -> None:
    rows = read_rows(made(*TYPED, DEPTH, *SHORT, "objective=neuron", "filters=[3,90]", "restarts=0"))
    assert [(row["filter"], row["status"], row["weights"]) for row in rows] == [
        (3, "ok", "random"),
        (90, "ok", "random"),
    ]


@pytest.mark.end_to_end
def test_a_position_outside_the_patches() -> None:
    line = refused(*TYPED, DEPTH, *SHORT, "objective=neuron", "objective.position=[14,0]")
    assert "blocks.2.mlp.act has 14 x 14 positions for the run's smallest pictures, [0, 0] to [13, 13]" in line
