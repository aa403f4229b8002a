"""A container hands out what its last module does: which of both there are pictures of does not matter."""

import pytest

from featviz.pages.network import Layer
from featviz.pages.same_output import ids_by_module

SHAPE = (8, 14, 14)
LAYERS = [
    Layer("stem", kind="Conv2d", shape=SHAPE),
    Layer("deep.0", kind="Conv2d", shape=SHAPE),
    Layer("deep.1.0", kind="Conv2d", shape=SHAPE),
    Layer("deep.1.1", kind="ReLU", shape=SHAPE),
    Layer("deep.1", kind="Sequential", shape=SHAPE),
    Layer("deep", kind="Sequential", shape=SHAPE),
    Layer("block.conv", kind="Conv2d", shape=SHAPE),
    Layer("block", kind="Residual", shape=SHAPE),
]


@pytest.mark.parametrize(
    ("known", "module", "shown"),
    [
        ("deep", "deep.1.1", "deep"),
        ("deep", "deep.1", "deep"),
        ("deep.1.1", "deep", "deep.1.1"),
        ("deep.1", "deep.1.1", "deep.1"),
        ("deep", "deep", "deep"),
        ("stem", "deep.1.1", "deep.1.1"),  # nothing is known: its own
        ("deep", "deep.0", "deep.0"),  # not the last
        ("block", "block.conv", "block.conv"),  # whatever else the block does
    ],
)
def test_a_layer_that_nothing_is_known_of_is_shown_by_its_twin(known: str, module: str, shown: str) -> None:
    modules = [layer.module for layer in LAYERS]
    assert ids_by_module(LAYERS, {known})[module] == f"l{modules.index(shown)}"
