"""A filter against the strongest other filters of its layer."""

from functools import partial

import pytest
import torch
from fitting import ADAM
from growing import backbone, fit
from refusals import refusal_of
from torch import nn

from featviz.images.fourier import FourierImage
from featviz.models.backbone import Backbone
from featviz.models.model import Model
from featviz.models.reference_noise import noise_moments, standardized
from featviz.objectives import Channel, Factory, Margin, Objective
from featviz.optim.method import Method
from featviz.optim.schedules import constant
from featviz.optim.visualizer import FilterVisualizer

STRIDES = {"0": 2, "1": 6}  # of a network of 12 px


def two_layers(channels: int = 3) -> Backbone:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = nn.Sequential(nn.Conv2d(3, channels, 2, 2), nn.Conv2d(channels, 4, 3, 3))
    return Backbone(Model("two", network, (0.45,), (0.25,), 12, "random"), [*STRIDES])


def scores(objective: Objective, network: Backbone) -> torch.Tensor:
    objective.prepare(network)
    return objective(network(torch.rand(2, 3, 12, 12, generator=torch.Generator().manual_seed(1))))


@pytest.mark.parametrize(("to_stride", "treated"), [(1, ()), (2, ("0",)), (5, ("0",)), (6, ("0", "1")), (None, "01")])
def test_it_is_for_layers_up_to_a_stride_and_elsewhere_the_mean_to_the_bit(
    to_stride: int | None, treated: tuple[str, ...]
) -> None:
    for layer in STRIDES:
        margin = Margin(layer, [0, 2], to_stride=to_stride)
        margins, means = (scores(each, two_layers()) for each in (margin, Channel(layer, [0, 2])))
        assert torch.equal(margins, means) == (layer not in treated)
        assert margin.acts_as == (None if layer in treated else "channel")


def test_a_filter_without_others_is_its_mean() -> None:
    assert torch.equal(scores(Margin("0", [0]), two_layers(1)), scores(Channel("0", [0]), two_layers(1)))


def test_pictures_excite_their_filter_more_above_the_others_than_those_of_the_mean() -> None:
    def above_the_others(objective: Factory) -> torch.Tensor:
        method = Method(FourierImage, constant(32, 40), ADAM, objective=objective)
        module = FilterVisualizer(backbone(), method, "4", [0, 1, 2, 3])
        fit(module)
        z = standardized(module.backbone, "4", module.maps(module.pictures()), 32)
        own = torch.arange(4)[:, None]
        return z.gather(1, own)[:, 0] - z.scatter(1, own, -torch.inf).amax(1)

    assert (above_the_others(partial(Margin, share=1, temperature=0.5)) > above_the_others(Channel) + 0.5).all()


def test_a_filter_that_does_not_move_is_not_ok_because_others_became_weaker() -> None:
    objective = Margin("0", [0])
    objective.prepare(two_layers())
    start, end = ({"0": torch.tensor([[[[1.0]], [[other]], [[0.0]]]])} for other in (2.0, -2.0))
    assert objective(end) > objective(start)
    assert objective.progress(end) == objective.progress(start) == 1


def test_where_values_have_no_bounds_the_noise_is_that_of_the_networks_units() -> None:
    network = nn.Sequential(nn.Conv2d(1, 2, 1, bias=False))
    network[0].weight.data = torch.tensor([1.0, -3.0]).view(2, 1, 1, 1)
    model = Model("recording", network, (40.0,), (8.0,), 16, range="none", in_channels=1)
    mean, std = noise_moments(Backbone(model, ["0"]), "0", 16)
    torch.testing.assert_close(mean, torch.zeros(2), atol=0.05, rtol=0)
    torch.testing.assert_close(std[1], 3 * std[0])


@pytest.mark.parametrize(
    ("settings", "setting"),
    [
        ({"share": -0.1}, "objective.share"),
        ({"share": 1.5}, "objective.share"),
        ({"temperature": 0.0}, "objective.temperature"),
        ({"to_stride": 0}, "objective.to_stride"),
    ],
)
def test_bad_settings(settings: dict[str, float], setting: str) -> None:
    assert refusal_of(lambda: Margin("a", [0], **settings)).setting == setting


def test_a_filter_that_breaks_down_does_not_take_the_others_along() -> None:
    """On noise already, or later; its own picture has failed."""
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Identity())
    with torch.no_grad():
        network[0].bias[2] = torch.nan
    backbone = Backbone(Model("net", network, (0.5,), (0.25,), 24, "random"), ["0"])
    objective = Margin("0", [0, 1, 2])
    objective.prepare(backbone)
    pictures = torch.rand(3, 3, 24, 24, requires_grad=True)
    maps = backbone(pictures)
    scores = objective(maps)
    assert scores.isfinite().tolist() == [True, True, False]
    scores[:2].sum().backward()
    assert pictures.grad.isfinite().all()
    known = [0, 1, 3]
    without = Backbone(Model("net", nn.Sequential(nn.Conv2d(3, 3, 3)), (0.5,), (0.25,), 24, "random"), ["0"])
    with torch.no_grad():
        without.network[0].weight.copy_(network[0].weight[known])
        without.network[0].bias.copy_(network[0].bias[known])
    fewer = Margin("0", [0, 1])
    fewer.prepare(without)
    torch.testing.assert_close(scores[:2], fewer({"0": maps["0"][:2, known]}))
