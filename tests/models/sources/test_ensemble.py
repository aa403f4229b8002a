"""Several networks as one."""

from collections.abc import Callable
from inspect import signature
from pathlib import Path

import pytest
import torch
from encoders import encoder
from program import run
from refusals import refusal_of
from torch import Tensor, nn

import featviz
from featviz.models.backbone import Backbone
from featviz.models.ensemble import Ensemble
from featviz.models.model import Model
from featviz.models.sources import ensemble, own
from featviz.models.speed.faster_copy import SpeedOptions

PICTURES = torch.rand(3, 1, 32, 32, generator=torch.Generator().manual_seed(0))
KEY = {"data_key": "mouse1"}


def member(seed: int, **settings: object) -> Model:
    return Model("encoder", encoder(seed), (0.5,), (0.25,), 32, forward=KEY, **settings)


def by_hand(*seeds: int) -> Tensor:
    return torch.stack([encoder(seed)((PICTURES - 0.5) / 0.25, "mouse1") for seed in seeds]).mean(0)


@pytest.mark.parametrize("fast", [None, SpeedOptions()])
@pytest.mark.parametrize("layer", ["mean", "output", "logits"])
def test_it_answers_with_the_mean(layer: str, fast: SpeedOptions | None) -> None:
    found = Backbone(ensemble.ensemble_of([member(seed) for seed in (0, 1, 2)]), [layer], fast=fast)
    torch.testing.assert_close(found(PICTURES)[layer][:, :, 0, 0], by_hand(0, 1, 2), atol=1e-5, rtol=1e-4)


def test_layers_of_members_are_there() -> None:
    found = Backbone(ensemble.ensemble_of([member(0), member(1)]), ["members.1.core.0", "mean"])
    alone = Backbone(member(1), ["core.0"])(PICTURES)["core.0"]
    torch.testing.assert_close(found(PICTURES)["members.1.core.0"], alone)


def test_members_may_have_their_own_mean_and_std() -> None:
    other = Model("encoder", encoder(1), (0.1,), (2.0,), 32, forward=KEY)
    expected = (by_hand(0) + encoder(1)((PICTURES - 0.1) / 2, "mouse1")) / 2
    found = Backbone(ensemble.ensemble_of([member(0), other]), ["mean"])
    torch.testing.assert_close(found(PICTURES)["mean"][:, :, 0, 0], expected, atol=1e-5, rtol=1e-4)


class Counted(nn.Module):
    """Counts how often its convolution is called."""

    def __init__(self, seed: int, bends: Callable[[Tensor], Tensor] = torch.tanh) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.convolution = nn.Conv2d(1, 3, 5)
        self.bends, self.calls = bends, 0

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        return self.bends(self.convolution(x)).mean((2, 3))


def test_members_of_one_architecture_share_a_pass() -> None:
    members = [Counted(seed) for seed in range(3)]
    together = Ensemble(members)
    apart = torch.stack([each(PICTURES) for each in members]).mean(0)
    torch.testing.assert_close(together(PICTURES), apart)
    before = [each.calls for each in members]
    torch.testing.assert_close(together(PICTURES), apart)
    assert [each.calls - was for each, was in zip(members, before, strict=True)] == [1, 0, 0]
    with torch.no_grad():
        members[2].convolution.bias += 1
    torch.testing.assert_close(together(PICTURES), torch.stack([each(PICTURES) for each in members]).mean(0))


@pytest.mark.parametrize("kind", ["other code", "watched", "untraceable"])
def test_members_that_cannot_share_a_pass_come_one_after_the_other(kind: str) -> None:
    untraceable = kind == "untraceable"
    members = [Counted(seed, lambda x: x if x.max().item() > 9 else x.sin()) for seed in (0, 1)] if untraceable else []
    members = members or [Counted(0), Counted(1, torch.sin if kind == "other code" else torch.tanh)]
    if kind == "watched":
        members[1].convolution.register_forward_hook(lambda *_: None)
    torch.testing.assert_close(Ensemble(members)(PICTURES), torch.stack([each(PICTURES) for each in members]).mean(0))


def test_gradients_are_those_of_the_mean() -> None:
    members = [Counted(seed) for seed in range(3)]
    gradients = []
    for function in (Ensemble(members), lambda x: sum(each(x) for each in members) / 3):
        pictures = PICTURES.clone().requires_grad_()
        function(pictures)[:, 1].sum().backward()
        gradients.append(pictures.grad)
    torch.testing.assert_close(*gradients)


def test_checkpoints_are_members(tmp_path: Path) -> None:
    files = []
    for seed in (3, 4):
        files.append(str(tmp_path / f"{seed}.pt"))
        torch.save(encoder(seed).state_dict(), files[-1])
    typed = ["model.target=encoders.encoder", f"model.members=[{','.join(files)}]", "model.size=32"]
    typed += ["model.forward={data_key: mouse1}", "model.mean=0.5", "model.std=0.25"]
    settings = ["image=pixel", "image.bound=none", "schedule.size=32", "evidence=none", "relations=false"]
    settings += ["schedule.steps=3"]
    made = featviz.visualize("ensemble", "mean", [2], "plain", overrides=[*typed, *settings])
    ours = ensemble.ensemble_of([member(3), member(4)])
    again = featviz.visualize(ours, "mean", [2], "plain", overrides=settings)
    assert made.rows[0]["weights"] == " + ".join(files)
    assert torch.equal(made.images, again.images)


@pytest.mark.end_to_end
def test_layers_of_members_are_listed() -> None:
    given = "{target: encoders.encoder, weights: random, forward: {data_key: mouse1}}"
    outcome = run("task=layers", "model=ensemble", f"model.members=[{given}]", "model.size=32", "model.display=each")
    assert (outcome.status, "MemberMean" in outcome.out) == (0, True)


@pytest.mark.parametrize(
    "other",
    [
        lambda: Model("encoder", encoder(1, mouse1=6), (0.5,), (0.25,), 32, forward=KEY),
        lambda: Model("encoder", encoder(1, channels=3), (0.5,), (0.25,), 32, forward=KEY),
        lambda: Model("encoder", encoder(1), (0.5,), (0.25,), 36, forward=KEY),
        lambda: member(1, range=[0, 2]),
    ],
)
def test_members_of_unlike_shape_are_refused(other: Callable[[], Model]) -> None:
    error = refusal_of(lambda: ensemble.ensemble_of([member(0), other()]))
    assert (error.setting, error.got, error.expected) == ("model.members", 1, "members of one shape")


@pytest.mark.parametrize(
    ("members", "target", "setting"),
    [
        ([], "a.B", "model.members"),
        ("a.ckpt", "a.B", "model.members"),
        ([3], "a.B", "model.members"),
        (["a.ckpt"], None, "model.target"),
        ([{"weights": "a.ckpt"}], None, "model.target"),
    ],
)
def test_what_are_no_members_is_refused(
    members: object, target: str | None, setting: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.ckpt").touch()
    assert refusal_of(lambda: ensemble.load(members, target)).setting == setting


def test_members_take_the_settings_of_a_network_of_ones_own() -> None:
    assert set(ensemble.OF_MEMBERS) == set(signature(own.load).parameters)
    error = refusal_of(lambda: ensemble.load([{"target": "a.B", "weight": "x.pt"}]))
    assert (error.setting, error.nearest[:1]) == ("model.members", ("weights",))
