import copy
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import pytest
import torch
from fitting import ADAM, OLAH, PIXELS
from growing import GROWING, METHODS, backbone, fit, fitted, network
from lightning import Callback, Trainer
from pictures import psnr
from refusals import assert_refused
from torch import Tensor, nn

from featviz.images.fourier import FourierImage
from featviz.images.init import Normal
from featviz.images.pixel import PixelImage
from featviz.models.backbone import Backbone
from featviz.models.model import Model
from featviz.objectives import Objective
from featviz.objectives.base import photo_key
from featviz.optim.method import Method
from featviz.optim.projections import Clip
from featviz.optim.regularizers import LpNorm, TotalVariation
from featviz.optim.schedules import Schedule, constant
from featviz.optim.visualizer import FilterVisualizer
from featviz.transforms import Copies, Noise, Roll, Transforms


@pytest.mark.parametrize("name", METHODS)
def test_a_filter_gets_the_same_picture_alone_and_in_a_batch(name: str) -> None:
    together = fitted(METHODS[name], [5, 0, 7, 2, 11, 3, 15, 9])
    alone = fitted(METHODS[name], [2])
    assert psnr(together.pictures()[3:4], alone.pictures()) >= 40
    assert psnr(together.pictures()[4:5], alone.pictures()) < 40
    assert together.steps_done == METHODS[name].schedule.total_steps
    assert together.image.size == METHODS[name].schedule.final_size


@pytest.mark.parametrize("name", METHODS)
def test_activations_rise(name: str) -> None:
    module = FilterVisualizer(backbone(), METHODS[name], "4", [0, 1, 2, 3])
    start = module.measure(module.pictures())[0]
    fit(module)
    assert (module.measure(module.pictures())[0] > start).all()
    assert not module.failed.any()


@pytest.mark.parametrize("name", METHODS)
def test_the_same_seed_gives_the_same_picture_and_another_seed_another(name: str) -> None:
    one, again, other = (fitted(METHODS[name], [3], seed=seed).pictures() for seed in (0, 0, 1))
    assert torch.equal(one, again)
    assert not torch.equal(one, other)


def test_the_backbone_is_never_trained() -> None:
    module = FilterVisualizer(backbone(), METHODS["fourier"], "4", [0, 1])
    before = copy.deepcopy(module.backbone.network.state_dict())
    modes = []

    class Modes(Callback):
        def on_train_batch_end(self, _trainer: Trainer, pl_module: FilterVisualizer, *_: object) -> None:
            modes.append((pl_module.training, [n for n, m in pl_module.backbone.named_modules() if m.training]))

    fit(module, Modes())
    after = module.backbone.network.state_dict()
    assert modes == [(True, [])] * 12
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert [name for name, p in module.named_parameters() if p.requires_grad] == ["image.values"]
    assert len(module.configure_optimizers().param_groups[0]["params"]) == 1


@pytest.mark.parametrize("penalty", [LpNorm(30.0), LpNorm(30.0, p=1, center=0.2), TotalVariation(30.0)], ids=str)
@pytest.mark.parametrize("image", [FourierImage, PIXELS])
def test_a_regularizer_lowers_its_own_penalty(image: Callable[..., object], penalty: Callable[..., Tensor]) -> None:
    without, with_it = (
        fitted(Method(image, constant(16, 15), ADAM, regularizers=used), [0, 1]).pictures()
        for used in ({}, {"penalty": penalty})
    )
    assert (penalty(with_it) < 0.9 * penalty(without)).all()


def test_the_loss_is_the_sum_of_minus_scores_and_penalties() -> None:
    method = Method(FourierImage, constant(16, 1), ADAM, regularizers={"tv": TotalVariation(2.0), "l2": LpNorm(3.0)})
    module = FilterVisualizer(backbone(), method, "4", [4, 1])
    loss = module.training_step(0, 0)
    pictures = module.pictures()
    maps = module.backbone.network((pictures - 0.45) / 0.25)
    expected = (-maps[[0, 1], [4, 1]].mean((1, 2)) + TotalVariation(2.0)(pictures) + LpNorm(3.0)(pictures)).sum()
    torch.testing.assert_close(loss, expected)
    assert list(module.terms) == ["tv", "l2"]
    torch.testing.assert_close(module.scores, module.measure(pictures)[0])


def test_rectifiers_are_redirected_for_the_first_steps_only() -> None:
    method = Method(FourierImage, constant(16, 3), ADAM, redirect_steps=2)
    dead = network()
    nn.init.constant_(dead[1].bias[3:4], -50)
    module = FilterVisualizer(Backbone(Model("m", dead, (0.5,), (0.5,), 32, "random"), ["2"]), method, "2", [3, 4])
    moved = []
    for step in range(3):
        module.zero_grad()
        module.training_step(step, step).backward()
        moved.append(module.image.values.grad.flatten(1).any(1).tolist())
    assert moved == [[True, True], [True, True], [False, True]]


def test_the_draws_of_a_step_do_not_depend_on_the_number_of_steps_or_the_batch() -> None:
    def draws(steps: int, filters: list[int], seed: int = 0) -> Tensor:
        method = Method(FourierImage, constant(16, steps), ADAM, transforms=Transforms(OLAH))
        return FilterVisualizer(backbone(), method, "4", filters, seed).draws

    short, long = draws(5, [3, 4]), draws(501, [9, 4, 3])
    assert short.shape == (2, 5, 6)
    assert torch.equal(short, long[[2, 1], :5])
    assert not torch.equal(short[0], short[1])
    assert not torch.equal(short, draws(5, [3, 4], seed=1))
    assert (long.min() >= 0, long.max() < 1) == (True, True)
    assert long.mean().item() == pytest.approx(0.5, abs=0.02)


def test_stage_names_and_module_names_give_the_same_start() -> None:
    named = Backbone(Model("m", network(), (0.5,), (0.5,), 32, "random", {"layer1": "4"}), ["layer1", "4"])
    method = Method(FourierImage, constant(16, 2), ADAM, transforms=Transforms(OLAH))
    one, other = (FilterVisualizer(named, method, name, [3]) for name in ("layer1", "4"))
    assert torch.equal(one.image.values, other.image.values)
    assert torch.equal(one.draws, other.draws)


@pytest.mark.parametrize(
    ("method", "setting", "got", "right"),
    [
        (Method(FourierImage, constant(16, 1), ADAM, redirect_steps=-1), "redirect_steps", -1, "zero or more"),
        (Method(FourierImage, constant(16, 1), ADAM, projections={"clip": Clip()}), "image", "FourierImage", ""),
        (Method(FourierImage, Schedule(GROWING, blur=3), ADAM), "image", "FourierImage", ""),
        (Method(FourierImage, constant(16, 1), partial(torch.optim.Adam, lr=-1.0)), "optimizer", None, ""),
        (Method(FourierImage, constant(16, 1), partial(torch.optim.Adam, rl=0.1)), "optimizer", None, ""),
        (
            Method(FourierImage, constant(16, 1), partial(torch.optim.Adam, lr=0.0)),
            "optimizer.lr",
            0.0,
            "a number above zero",
        ),
    ],
)
def test_methods_that_cannot_work_are_refused(method: Method, setting: str, got: object, right: str) -> None:
    assert_refused(lambda: FilterVisualizer(backbone(), method, "4", [0]).configure_optimizers(), setting, got, right)


class Difference(Objective):
    """Minus the squared difference to the photo's feature maps; keeps what it is handed."""

    def __init__(self, layer: str, filters: Sequence[int]) -> None:
        self.photo = torch.rand(1, 3, 24, 24, generator=torch.Generator().manual_seed(1))
        self.handed: list[dict[str, Tensor]] = []

    @property
    def layers(self) -> tuple[str, ...]:
        return ("0",)

    def photos(self, size: int) -> dict[str, Tensor]:
        assert size == 24
        return {"photo": self.photo}

    def __call__(self, maps: Any) -> Tensor:
        self.handed.append(dict(maps))
        other = maps.get(photo_key("0", "photo"), torch.zeros(()))
        return -(maps["0"] - other).square().mean((1, 2, 3))


def module_with_photo(transforms: Transforms) -> FilterVisualizer:
    model = Model("same", nn.Sequential(nn.Identity()), (0.0,) * 3, (1.0,) * 3, 24, "random")
    image = lambda **settings: PixelImage(**settings, bound="clip", init=Normal(0.5, 0.2))  # noqa: E731
    method = Method(image, constant(24, 2), torch.optim.SGD, Difference, transforms)
    module = FilterVisualizer(Backbone(model, ["0"]), method, "0", [0, 1])
    with torch.no_grad():
        module.image.values.copy_(module.objective.photo.expand(2, -1, -1, -1))
    return module


def test_a_picture_that_is_the_photo_stays_so_under_every_transform() -> None:
    transforms = Transforms({"copies": Copies(3), "roll": Roll(5), "noise": Noise(0.1)})
    module = module_with_photo(transforms)
    loss = module.training_step(0, 0)
    assert loss.item() == 0
    handed = module.objective.handed
    assert len(handed) == 3  # once for each copy
    assert not torch.equal(handed[0]["0"], handed[1]["0"])
    for maps in handed:
        torch.testing.assert_close(maps["0"], maps[photo_key("0", "photo")])
    assert not torch.equal(handed[0]["0"][0], handed[0]["0"][1])  # each picture has draws of its own


def test_without_transforms_the_photo_is_not_shown_again() -> None:
    module = module_with_photo(Transforms())
    module.training_step(0, 0)
    assert list(module.objective.handed[0]) == ["0"]
