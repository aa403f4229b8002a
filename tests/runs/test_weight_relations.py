"""What units of different networks are compared by."""

import pytest
import torch
from torch import nn

from featviz.metrics.relations.sources import Sources
from featviz.models.model import Model
from featviz.models.tracing import trace
from featviz.runs.weight_relations import weight_vectors


@pytest.fixture(scope="module")
def model() -> Model:
    torch.manual_seed(0)
    parts = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Sequential(nn.Conv2d(4, 5, 1), nn.Conv2d(5, 4, 1))
    return Model("parts", nn.Sequential(*parts), (0.5,), (0.25,), 16)


@pytest.mark.parametrize("layer", ["0", "1", "2"])
def test_norms_and_rectifiers_have_the_weights_of_their_filters(model: Model, layer: str) -> None:
    traced = trace(model)
    vectors = weight_vectors(Sources(model, traced), traced.resolve(layer))
    assert vectors is not None
    assert torch.equal(vectors, model.network[0].weight.flatten(1))


def test_blocks_have_expanded_weights(model: Model) -> None:
    traced = trace(model)
    vectors = weight_vectors(Sources(model, traced), traced.resolve("3"))
    product = model.network[3][1].weight.flatten(1) @ model.network[3][0].weight.flatten(1)
    assert vectors is not None
    assert torch.allclose(vectors, product, atol=1e-6)
