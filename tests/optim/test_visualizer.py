import copy
from collections.abc import Callable
from functools import partial
from pathlib import Path

import fitting
import pytest
import torch
from fitting import ADAM, OLAH, PIXELS, FailsFrom
from lightning import Callback, Trainer
from pictures import psnr
from torch import Tensor, nn

from featviz.errors import FeatvizError
from featviz.images.fourier import FourierImage
from featviz.models.backbone import Backbone
from featviz.models.model import Model
from featviz.objectives import Channel
from featviz.optim.callbacks.checkpoint import ImageCheckpoint
from featviz.optim.method import Method
from featviz.optim.projections import Clip, Projection
from featviz.optim.regularizers import LpNorm, TotalVariation
from featviz.optim.schedules import Schedule, Stage, constant
from featviz.optim.visualizer import FilterVisualizer
from featviz.runs.process import run_environment
from featviz.transforms import Transforms

GROWING = (Stage(12, 4), Stage(16, 3), Stage(21, 4))


def network() -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        made = nn.Sequential(
            nn.Conv2d(3, 8, 5, 2), nn.BatchNorm2d(8), nn.ReLU(inplace=True), nn.Dropout(0.5), nn.Conv2d(8, 16, 3)
        )
    made[1].running_mean.uniform_(-0.2, 0.2, generator=torch.Generator().manual_seed(1))
    return made


def backbone(layer: str = "4") -> Backbone:
    return Backbone(Model("tiny", network(), (0.45,), (0.25,), 32, "random"), [layer])


def fitted(method: Method, filters: list[int], *callbacks: Callback, seed: int = 0) -> FilterVisualizer:
    module = FilterVisualizer(backbone(), method, "4", filters, seed)
    fit(module, *callbacks)
    return module


def fit(module: FilterVisualizer, *callbacks: Callback) -> Trainer:
    with run_environment():
        return fitting.fit(module, *callbacks)


METHODS: dict[str, Method] = {
    "fourier": Method(FourierImage, constant(20, 12), ADAM, transforms=Transforms(OLAH), redirect_steps=4),
    "fourier, growing": Method(FourierImage, Schedule(GROWING), ADAM, transforms=Transforms(OLAH)),
    "pixels, growing": Method(
        partial(PIXELS, bound="none", space="model"),
        Schedule(GROWING, blur=3, optimizer="reset"),
        partial(torch.optim.Adam, lr=0.1, weight_decay=1e-6),
        regularizers={"tv": TotalVariation(0.1)},
    ),
    "pixels, projected": Method(
        partial(PIXELS, bound="clip"),
        constant(20, 10),
        partial(torch.optim.SGD, lr=5.0, momentum=0.9),
        transforms=Transforms(OLAH),
        projections={"clip": Clip(0.1, 0.9)},
    ),
}


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


# upscaling


class Watch(Callback):
    """Keeps what the optimizer remembers, and the picture, after each step."""

    def __init__(self) -> None:
        self.states: list[dict[str, Tensor]] = []
        self.pictures: list[Tensor] = []

    def on_train_batch_end(self, trainer: Trainer, pl_module: FilterVisualizer, *_: object) -> None:
        state = trainer.optimizers[0].state[pl_module.image.values]
        self.states.append({name: torch.as_tensor(value).clone() for name, value in state.items()})
        self.pictures.append(pl_module.pictures())


@pytest.mark.parametrize("image", [FourierImage, PIXELS])
def test_a_kept_optimizer_goes_on_with_its_averages_resized(image: Callable[..., object]) -> None:
    watch = Watch()
    module = fitted(Method(image, Schedule(GROWING), ADAM), [0, 1], watch)
    sizes = [12] * 4 + [16] * 3 + [21] * 4
    assert [int(state["step"]) for state in watch.states] == list(range(1, 12))
    assert [state["exp_avg"].shape[2] for state in watch.states] == sizes
    assert [picture.shape[2] for picture in watch.pictures] == sizes
    assert all((state["exp_avg_sq"] >= 0).all() for state in watch.states)
    assert all(state["exp_avg"].shape == state["exp_avg_sq"].shape for state in watch.states)
    assert watch.states[-1]["exp_avg"].shape == module.image.values.shape


@pytest.mark.parametrize("image", [FourierImage, PIXELS])
def test_an_optimizer_made_anew_forgets(image: Callable[..., object]) -> None:
    watch = Watch()
    fitted(Method(image, Schedule(GROWING, optimizer="reset"), ADAM), [0, 1], watch)
    assert [int(state["step"]) for state in watch.states] == [1, 2, 3, 4, 1, 2, 3, 1, 2, 3, 4]
    assert all((state["exp_avg_sq"] >= 0).all() for state in watch.states)


@pytest.mark.parametrize(
    "optimizer",
    [
        torch.optim.AdamW,
        torch.optim.NAdam,
        torch.optim.RMSprop,
        torch.optim.Adagrad,
        torch.optim.Adadelta,
        torch.optim.Adamax,
        partial(torch.optim.SGD, momentum=0.9),
        partial(torch.optim.Adam, amsgrad=True),
    ],
)
def test_other_optimizers_stay_finite_through_upscaling(optimizer: Callable[..., object]) -> None:
    module = fitted(Method(PIXELS, Schedule(GROWING), partial(optimizer, lr=0.05)), [0, 1, 2])
    assert not module.failed.any()
    assert module.image.values.isfinite().all()
    assert module.image.size == 21


def test_pictures_are_resized_before_the_first_step_of_a_stage_and_blurred() -> None:
    class Sizes(Callback):
        def __init__(self) -> None:
            self.sizes: list[int] = []

        def on_before_backward(self, _trainer: Trainer, pl_module: FilterVisualizer, _loss: Tensor) -> None:
            self.sizes.append(pl_module.image.size)

    watch, sizes = Watch(), Sizes()
    still = partial(torch.optim.SGD, lr=1e-12)
    method = Method(partial(PIXELS, bound="none"), Schedule((Stage(12, 1), Stage(16, 1)), blur=3), still)
    fitted(method, [0], watch, sizes)
    expected = nn.functional.interpolate(watch.pictures[0], (16, 16), mode="bicubic")
    expected = nn.functional.avg_pool2d(nn.functional.pad(expected, (1, 1, 1, 1), mode="reflect"), 3, 1)
    assert sizes.sizes == [12, 16]
    torch.testing.assert_close(watch.pictures[1], expected)


# numbers that are not finite


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
@pytest.mark.parametrize("name", METHODS)
def test_a_filter_whose_gradient_is_not_finite_is_marked_and_the_others_go_on(name: str, value: float) -> None:
    filters = [0, 1, 2, 3]
    usual = fitted(METHODS[name], filters)
    module = FilterVisualizer(backbone(), METHODS[name], "4", filters)
    fit(module, FailsFrom(2, value))
    assert module.failed.tolist() == [False, True, False, False]
    assert not usual.failed.any()
    assert torch.equal(module.pictures()[[0, 2, 3]], usual.pictures()[[0, 2, 3]])
    assert module.pictures().isfinite().all()


def test_a_filter_whose_score_becomes_nan_is_marked_and_the_others_go_on() -> None:
    class Broken(Channel):
        def __call__(self, maps: dict[str, Tensor]) -> Tensor:
            scores = super().__call__(maps)
            broken = torch.tensor([number == 1 for number in self.filters])
            return scores * torch.where(broken, torch.nan, 1.0)

    module = fitted(Method(FourierImage, constant(20, 6), ADAM, objective=Broken), [0, 1, 2])
    without = fitted(Method(FourierImage, constant(20, 6), ADAM), [0, 2])
    assert module.failed.tolist() == [False, True, False]
    assert psnr(module.pictures()[[0, 2]], without.pictures()) >= 40


# what is trained, and what is kept


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


def test_a_checkpoint_holds_the_image_alone_and_loads_back(tmp_path: Path) -> None:
    filters = list(range(8))
    method = Method(FourierImage, constant(224, 2), ADAM)
    module = fitted(method, filters, ImageCheckpoint(str(tmp_path), every=1))
    file = tmp_path / "image.ckpt"
    checkpoint = torch.load(file, weights_only=True)
    assert file.stat().st_size < 30e6
    assert list(checkpoint["state_dict"]) == ["image.values"]
    fresh = FilterVisualizer(backbone(), method, "4", filters, seed=5)
    assert not torch.equal(fresh.pictures(), module.pictures())
    fresh.load_state_dict(checkpoint["state_dict"], strict=False)
    assert torch.equal(fresh.pictures(), module.pictures())


def test_lightning_loads_a_checkpoint_of_an_upscaled_picture(tmp_path: Path) -> None:
    method = Method(PIXELS, Schedule(GROWING), ADAM)
    module = fitted(method, [2, 0], ImageCheckpoint(str(tmp_path)))
    module.failed[1] = True
    module.trainer.save_checkpoint(tmp_path / "image.ckpt")
    with pytest.warns(UserWarning, match="keys that are in the model state dict but not in the checkpoint"):
        fresh = FilterVisualizer.load_from_checkpoint(
            tmp_path / "image.ckpt", backbone=backbone(), method=method, layer="4", filters=[2, 0], weights_only=True
        )
    assert (fresh.image.size, fresh.steps_done, fresh.failed.tolist()) == (21, 11, [False, True])
    assert torch.equal(fresh.pictures(), module.pictures())


def test_checkpoints_come_every_k_steps_and_at_the_end(tmp_path: Path) -> None:
    saved = []

    class Saves(Callback):
        def on_save_checkpoint(self, trainer: Trainer, *_: object) -> None:
            saved.append(trainer.global_step)

    fitted(Method(FourierImage, constant(16, 7), ADAM), [0], ImageCheckpoint(str(tmp_path), every=3), Saves())
    assert saved == [3, 6, 7]


# projections and regularizers


class Counted(Projection):
    def __init__(self, every: int) -> None:
        self.every, self.times = every, 0

    def __call__(self, pictures: Tensor) -> Tensor:
        self.times += 1
        return pictures


@pytest.mark.parametrize(("every", "times"), [(1, 9), (2, 4), (4, 2), (10, 0)])
def test_projections_are_applied_every_k_steps(every: int, times: int) -> None:
    projection = Counted(every)
    fitted(Method(PIXELS, constant(16, 9), ADAM, projections={"counted": projection}), [0])
    assert projection.times == times


def test_projections_are_applied_to_the_pictures_in_their_order() -> None:
    projections = {"first": Clip(0.0, 0.4), "second": Clip(0.3, 1.0)}
    watch = Watch()
    fitted(Method(partial(PIXELS, bound="none"), constant(16, 3), ADAM, projections=projections), [0, 1], watch)
    assert all(p.min() >= 0.3 - 1e-6 and p.max() <= 0.4 + 1e-6 for p in watch.pictures)


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


# draws


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
    ("method", "words"),
    [
        (Method(FourierImage, constant(16, 1), ADAM, redirect_steps=-1), "redirect_steps is -1"),
        (Method(FourierImage, constant(16, 1), ADAM, projections={"clip": Clip()}), "projections and blur"),
        (Method(FourierImage, Schedule(GROWING, blur=3), ADAM), "projections and blur"),
        (Method(FourierImage, constant(16, 1), partial(torch.optim.Adam, lr=-1.0)), "optimizer: Invalid learning rate"),
        (Method(FourierImage, constant(16, 1), partial(torch.optim.Adam, lr=0.0)), "optimizer.lr is 0.0; expected"),
        (Method(FourierImage, constant(16, 1), partial(torch.optim.Adam, rl=0.1)), "optimizer: .*rl"),
    ],
)
def test_methods_that_cannot_work_are_refused(method: Method, words: str) -> None:
    with pytest.raises(FeatvizError, match=words) as caught:
        FilterVisualizer(backbone(), method, "4", [0]).configure_optimizers()
    assert "\n" not in str(caught.value)
