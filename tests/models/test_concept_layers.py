"""Layers whose filters are concepts: ``second@FILE``."""

from pathlib import Path

import pytest
import torch
from tiny_networks import Stages, Tiny

from featviz.errors import FeatvizError
from featviz.models.backbone import Backbone
from featviz.models.dictionaries import Dictionary, write_dictionary
from featviz.models.layers import Trace
from featviz.models.model import Model
from featviz.models.receptive_field import receptive_fields
from featviz.models.speed.faster_copy import SpeedOptions
from featviz.models.tracing import trace


def written(path: Path, traced: Trace, layer: str, concepts: int = 4) -> str:
    """The file of a dictionary of a layer, with any directions; the layer's name with it."""
    source = traced.source(layer)
    generator = torch.Generator().manual_seed(0)
    W_dec = torch.randn(concepts, source.channels, generator=generator)
    mean = torch.randn(source.channels, generator=generator)
    dictionary = Dictionary("pca", W_dec.T, torch.zeros(concepts), W_dec, mean, "linear", source=source)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(write_dictionary(dictionary))
    return f"{layer}@{path}"


@pytest.fixture(scope="module")
def model() -> Model:
    torch.manual_seed(0)
    return Model("Tiny", Tiny(), size=48)


@pytest.mark.parametrize("fast", [None, SpeedOptions()])
def test_maps_of_concepts_are_codes_of_the_layers(model: Model, fast: SpeedOptions | None, tmp_path: Path) -> None:
    traced = trace(model)
    name = written(tmp_path / "a=b @c" / "x.safetensors", traced, "second")
    backbone, pictures = Backbone(model, [name, "second", "act"], traced, fast), torch.rand(3, 3, 48, 48)
    dictionary = backbone.layers[name].dictionary
    assert dictionary is not None
    with torch.no_grad():
        maps, alone = backbone(pictures), backbone(pictures[:1])
    expected = torch.einsum("nchw,kc->nkhw", maps["second"] - dictionary.b_dec[:, None, None], dictionary.W_dec)
    torch.testing.assert_close(maps[name], expected, atol=1e-4, rtol=1e-4)
    assert torch.equal(alone[name], maps[name][:1])
    backbone.close()


def test_gradients_from_layer_to_layer_are_those_of_the_networks_own(model: Model, tmp_path: Path) -> None:
    traced = trace(model)
    name = written(tmp_path / "x.safetensors", traced, "second")
    with pytest.raises(FeatvizError, match="is concepts"):
        Backbone(model, [name, "act"], traced, linked=True)


def test_a_layer_of_concepts_is_like_any_other(model: Model, tmp_path: Path) -> None:
    traced = trace(model)
    name = written(tmp_path / "x.safetensors", traced, "second")
    layer, own = traced.resolve(name), traced.resolve("second")
    assert (layer.channels, layer.side, layer.stride(48), layer.base) == (4, own.side, own.stride(48), own)
    assert layer.name.startswith("second@pca-")
    fields = receptive_fields(model, [name, "second"], traced)
    assert fields[name] == fields["second"]


def test_concepts_of_a_layer_without_positions(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = Model("Stages", Stages(), size=64)
    traced = trace(model)
    name = written(tmp_path / "x.safetensors", traced, "logits", 10)
    backbone = Backbone(model, [name], traced)
    assert backbone(torch.rand(2, 3, 64, 64))[name].shape == (2, 10, 1, 1)
    assert backbone.class_names(name) == ()
    backbone.close()


def test_concepts_of_something_else_are_refused(model: Model, tmp_path: Path) -> None:
    traced = trace(model)
    file = written(tmp_path / "x.safetensors", traced, "second").partition("@")[2]
    torch.manual_seed(1)
    other = trace(Model("Other", Tiny(), size=48))
    for tried, name, words in (
        (traced, f"pair[0]@{file}", "of another layer: second"),
        (traced, f"first@{file}", "are of 20 filters"),
        (other, f"second@{file}", "of another network: Tiny"),
        (traced, f"secnd@{file}", "unknown layer 'secnd'"),
        (traced, f"second@{file}x", "must end in one of"),
        (traced, f"second@{file}.pt", "no file"),
    ):
        with pytest.raises(FeatvizError) as refused:
            tried.resolve(name)
        assert words in str(refused.value), name
