from functools import partial

import pytest
import torch
from fitting import ADAM
from growing import fit
from refusals import assert_refused
from torch import Tensor, nn

from featviz.images.fourier import FourierImage
from featviz.models.backbone import Backbone
from featviz.models.model import Model
from featviz.objectives import Channel, Facets
from featviz.optim.method import Method
from featviz.optim.schedules import constant
from featviz.optim.visualizer import FilterVisualizer
from featviz.transforms import Copies, Noise, Transforms

WEIGHTS = {"1": [0.5, -1.0, 2.0, 0.0], "3": [1.0, 1.0, -0.5, 0.3, 0.2]}
FACETS = partial(Facets, facets=WEIGHTS)


def network() -> nn.Sequential:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(
            nn.Conv2d(3, 4, 3), nn.ReLU(inplace=True), nn.Conv2d(4, 5, 3), nn.ReLU(inplace=True), nn.Conv2d(5, 3, 3)
        )


def backbone() -> Backbone:
    return Backbone(Model("tiny", network(), (0.5,), (0.25,), 16, "random"), ["4", "1", "3"], linked=True)


def expected(pictures: Tensor, filters: list[int], strengths: list[float]) -> Tensor:
    """By autograd, in a network that is written out."""
    layers = network()
    first = layers[0]((pictures - 0.5) / 0.25).relu()
    second = layers[2](first).relu()
    means = layers[4](second)[range(len(filters)), filters].mean((1, 2))
    scores = means
    for maps, weights in ((first, WEIGHTS["1"]), (second, WEIGHTS["3"])):
        (gradient,) = torch.autograd.grad(means.sum(), maps, retain_graph=True)
        facet = torch.einsum("nchw,c->n", maps * gradient.clamp_min(0), torch.tensor(weights))
        scores = scores + torch.tensor(strengths) * 5 / 2 * facet
    return scores


@pytest.mark.parametrize(
    ("filters", "strengths"), [([2, 2, 2], [0.1, 2.55, 5.0]), ([1], [5.0]), ([0, 1, 0], [0.1, 5.0, 5.0])]
)
def test_scores_and_gradients_equal_those_of_a_network_written_out(filters: list[int], strengths: list[float]) -> None:
    x = torch.rand(len(filters), 3, 16, 16, generator=torch.Generator().manual_seed(1), requires_grad=True)
    objective = FACETS("4", filters)
    objective.prepare(found := backbone())
    results = objective(objective.completed(found(x))), expected(x, filters, strengths)
    torch.testing.assert_close(*results, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(*(torch.autograd.grad(each.sum(), x)[0] for each in results), rtol=1e-3, atol=1e-5)


def fitted(objective: object, filters: list[int]) -> FilterVisualizer:
    transforms = Transforms({"copies": Copies(2), "noise": Noise(0.05)})
    module = FilterVisualizer(
        backbone(), Method(FourierImage, constant(20, 15), ADAM, objective, transforms), "4", filters
    )
    fit(module)
    return module


def test_facets_raise_what_they_ask_for_and_copies_are_seen_one_by_one() -> None:
    def facet(module: FilterVisualizer) -> Tensor:
        pictures = module.pictures().requires_grad_()
        return expected(pictures, [1, 1], [1.0, 1.0]) - expected(pictures, [1, 1], [0.0, 0.0])

    plain, faceted = fitted(Channel, [1, 1]), fitted(FACETS, [1, 1])
    assert (facet(faceted) > facet(plain))[1]
    assert not faceted.failed.any()


@pytest.mark.parametrize(
    ("settings", "setting", "right"),
    [
        ({"facets": {}}, "objective.facets", "weights of channels for each layer, '{layer3: weights.npy}'"),
        ({"facets": WEIGHTS, "strength": [1]}, "objective.strength", "two numbers, [0.1,5.0]"),
    ],
)
def test_what_cannot_be_used_is_refused(settings: dict[str, object], setting: str, right: str) -> None:
    assert_refused(lambda: Facets("4", [0], **settings), setting, settings[setting.split(".")[1]], right)


def test_layers_behind_the_filter_are_refused() -> None:
    objective = Facets("1", [0], {"3": WEIGHTS["3"]})
    assert_refused(lambda: objective.prepare(backbone()), "objective.facets", "3", "an earlier layer")
