"""A unit against others, and network against network."""

from functools import partial

import pytest
import torch
from refusals import refusal_of
from torch import nn

import featviz
from featviz.models.backbone import Backbone
from featviz.models.model import Model
from featviz.models.sources.ensemble import ensemble_of
from featviz.objectives import Contrast, GroupContrast

SIDE, UNITS, PLANTED = 12, 5, 3


def readout(planted: bool) -> Model:
    """Five linear neurons; one of them is another in the network with the planted one."""
    generator = torch.Generator().manual_seed(0)
    weights = torch.randn(UNITS, SIDE**2, generator=generator)
    if planted:
        weights[PLANTED] = torch.randn(SIDE**2, generator=generator)
    network = nn.Sequential(nn.Flatten(), nn.Linear(SIDE**2, UNITS, bias=False))
    network[1].weight.data = weights
    return Model("readout", network, (0.0,), (1.0,), SIDE, range="none", in_channels=1)


def test_a_planted_unit_is_found_and_the_others_stay() -> None:
    settings = ["image=pixel", "image.bound=none", "image/init=model_normal", "projections=norm", "optimizer=sgd"]
    settings += ["objective=contrast", "objective.against=members.1.1", "schedule.size=12", "schedule.steps=40"]
    settings += ["evidence=none", "relations=false", "callbacks=none", "restarts=0", "optimizer.lr=1"]
    first, second = readout(True), readout(False)
    made = featviz.visualize(ensemble_of([first, second]), "members.0.1", "all", "plain", overrides=settings)
    assert [row["filter"] for row in made.rows if row["status"] == "ok"] == [PLANTED]
    difference = (first.network[1].weight - second.network[1].weight)[PLANTED]
    cosines = torch.nn.functional.cosine_similarity(made.images.flatten(1), difference[None])
    assert cosines[PLANTED] >= 0.99
    others = [row for row in made.rows if row["filter"] != PLANTED]
    assert all(row["activation"] == pytest.approx(row["start_activation"], rel=0.2) for row in others)


def maps(*numbers: float) -> dict[str, torch.Tensor]:
    return {"a": torch.tensor(numbers).view(1, -1, 1, 1).expand(1, -1, 2, 2)}


def test_the_share_of_a_softmax_is_that_of_torch() -> None:
    answers = torch.tensor([1.0, 2.5, -1.0, 0.5])
    expected = (answers / 1.6).log_softmax(0) + torch.tensor(4.0).log()
    found = [Contrast("a", [number], temperature=1.6)(maps(*answers.tolist())).item() for number in range(4)]
    torch.testing.assert_close(torch.tensor(found), expected)
    groups = [GroupContrast("a", [at], [[0], [1], [2], [3]], 1.6)(maps(*answers.tolist())).item() for at in range(4)]
    assert groups == pytest.approx(found)


@pytest.mark.parametrize(
    ("make", "setting"),
    [
        (partial(Contrast, temperature=0.0), "objective.temperature"),
        (partial(GroupContrast, groups=[[0], [1]], temperature=-1.0), "objective.temperature"),
        (partial(GroupContrast, groups=[[0]]), "objective.groups"),
        (partial(GroupContrast, groups=[[0], []]), "objective.groups"),
        (partial(GroupContrast, groups=[0, 1]), "objective.groups"),
    ],
)
def test_bad_settings(make: partial[Contrast], setting: str) -> None:
    assert refusal_of(lambda: make("a", [0])).setting == setting


@pytest.mark.parametrize(
    "objective",
    [Contrast("1", [0], against=[9]), Contrast("1", [0], against="flat"), GroupContrast("1", [0], [[0], [9]])],
)
def test_units_that_are_not_there(objective: Contrast) -> None:
    refusal_of(lambda: objective.prepare(Backbone(readout(False), [*objective.layers])))


@pytest.mark.parametrize("temperature", [None, 0.5])
def test_a_filter_that_breaks_down_does_not_take_the_others_along(temperature: float | None) -> None:
    maps = torch.randn(2, 4, 5, 5, generator=torch.Generator().manual_seed(0))
    maps[:, 2] = torch.nan
    maps.requires_grad_()
    scores = Contrast("a", [0, 1], temperature=temperature)({"a": maps})
    without = Contrast("a", [0, 1], temperature=temperature)({"a": maps.detach()[:, [0, 1, 3]]})
    torch.testing.assert_close(scores, without)
    scores.sum().backward()
    assert maps.grad is not None
    assert maps.grad.isfinite().all()
