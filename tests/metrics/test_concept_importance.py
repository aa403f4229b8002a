"""What concepts matter for classes, in a network of which it is known."""

import pytest
import torch
from torch import Tensor, nn

from featviz.filters import LOGITS
from featviz.metrics.concept_importance import ConceptImportance
from featviz.metrics.relations.segment import Segment
from featviz.models.dictionaries import Dictionary
from featviz.models.model import Model
from featviz.models.tracing import trace

FILTERS, CLASSES = 6, 3


class Linear(nn.Module):
    """A convolution, whose mean over positions goes to classes by a matrix; optionally overwritten before."""

    def __init__(self, rectified: bool = False) -> None:
        super().__init__()
        self.features = nn.Conv2d(3, FILTERS, 4, 4)
        self.act = nn.ReLU(inplace=True) if rectified else nn.Identity()
        self.head = nn.Linear(FILTERS, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        classes: Tensor = self.head(self.act(self.features(x)).mean((2, 3)))
        return classes


class Tokens(Linear):
    """The same, of tokens (N, positions, filters)."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(FILTERS)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.norm(self.features(x).flatten(2).movedim(1, 2))
        classes: Tensor = self.head(tokens.mean(1))
        return classes


def dictionary(concepts: int) -> Dictionary:
    W_dec = torch.randn(concepts, FILTERS, generator=torch.Generator().manual_seed(3))
    W_enc = torch.linalg.pinv(W_dec) if concepts <= FILTERS else W_dec.T
    return Dictionary("sae", W_enc, torch.zeros(concepts), W_dec, torch.zeros(FILTERS), "relu")


def measured(network: nn.Module, layer: str, concepts: int = 4) -> tuple[Model, ConceptImportance, list[Tensor]]:
    model = Model("made", network, size=16)
    traced, found = trace(model), dictionary(concepts)
    segment = Segment(model, traced, traced.resolve(layer), traced.resolve(LOGITS), torch.device("cpu"))
    photos = list(torch.rand(3, 3, 16, 16, generator=torch.Generator().manual_seed(1)))
    return model, ConceptImportance(segment, found), photos


@pytest.mark.parametrize(("kind", "layer"), [(Linear, "features"), (Tokens, "norm")])
@pytest.mark.parametrize("concepts", [4, 70])
def test_both_are_what_a_linear_network_says(kind: type[Linear], layer: str, concepts: int) -> None:
    torch.manual_seed(0)
    model, importance, photos = measured(kind(), layer, concepts)
    handle = model.network.get_submodule(layer).register_forward_hook(lambda _m, _i, out: outputs.append(out))
    outputs: list[Tensor] = []
    model.network(
        (torch.stack(photos) - torch.tensor(model.mean)[:, None, None]) / torch.tensor(model.std)[:, None, None]
    )
    handle.remove()
    (maps,) = outputs
    rows = maps.movedim(1, 2) if kind is Tokens else maps.flatten(2)
    codes = dictionary(concepts).encoder()(rows[..., None])[..., 0].mean((0, 2))
    weights = model.network.get_submodule("head").weight[1] @ dictionary(concepts).W_dec.T
    found = importance.of_class(1, photos)
    torch.testing.assert_close(found.gradient, codes * weights, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(found.removal, codes * weights, atol=1e-5, rtol=1e-4)


def test_what_a_rectifier_stops_has_no_importance() -> None:
    torch.manual_seed(0)
    network = Linear(rectified=True)
    network.features.bias = nn.Parameter(torch.full((FILTERS,), -100.0))
    _, importance, photos = measured(network, "features")
    found = importance.of_class(0, photos)
    assert not found.gradient.any()
    assert found.removal.shape == (4,)


def test_the_network_is_left_as_it_was() -> None:
    torch.manual_seed(0)
    model, importance, photos = measured(Linear(rectified=True), "features")
    before = model.network(torch.stack(photos))
    importance.of_class(0, photos)
    assert torch.equal(model.network(torch.stack(photos)), before)
    assert not any(module._forward_hooks for module in model.network.modules())
