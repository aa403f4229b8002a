"""Projections, after the optimizer's steps."""

from functools import partial

import pytest
import torch
from fitting import ADAM, MEAN, PIXELS, STD, Watch, backbone, fit
from growing import fitted
from lightning import Callback
from torch import Tensor

from featviz.images.pixel import PixelImage
from featviz.optim.method import Method
from featviz.optim.projections import (
    Clip,
    Decay,
    NormBall,
    Projection,
    SmallContribution,
    SmallNorm,
)
from featviz.optim.schedules import Schedule, Stage, constant
from featviz.optim.visualizer import FilterVisualizer


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


MEANS, STDS = (torch.tensor(numbers).view(1, 3, 1, 1) for numbers in (MEAN, STD))


def pictures(channels: int = 3, size: int = 24) -> torch.Tensor:
    return torch.rand(2, channels, size, size, generator=torch.Generator().manual_seed(2))


class Gradient(Callback):
    """Computes the loss's gradient by the pictures before each step, on its own."""

    def __init__(self) -> None:
        self.gradients: list[torch.Tensor] = []

    def on_train_batch_start(self, _trainer: object, pl_module: FilterVisualizer, _batch: int, batch_idx: int) -> None:
        x = pl_module.image().detach().requires_grad_()
        maps = pl_module.backbone(pl_module.method.transforms(x, pl_module.draws[:, batch_idx]))
        (-pl_module.objective(maps).sum()).backward()
        self.gradients.append(x.grad)


class RecordsGradient(Projection):
    """Keeps the gradients that it is handed."""

    needs_gradient = True

    def __init__(self) -> None:
        self.gradients: list[torch.Tensor] = []

    def __call__(self, pictures: torch.Tensor, gradient: torch.Tensor | None = None) -> torch.Tensor:
        self.gradients.append(gradient)
        return pictures


@pytest.mark.parametrize("schedule", [constant(16, 4), Schedule((Stage(12, 2), Stage(16, 2)))], ids=["one", "growing"])
@pytest.mark.parametrize("bound", ["none", "sigmoid"])
@pytest.mark.parametrize("space", ["picture", "model"])
def test_a_projection_gets_the_steps_gradient_by_the_pictures(space: str, bound: str, schedule: Schedule) -> None:
    recorder, gradient = RecordsGradient(), Gradient()
    image = partial(PIXELS, bound=bound, space=space, color="decorrelated")
    doubled = {"doubled": lambda values: 2 * values}  # the optimizer's gradient is another matter
    method = Method(
        image, schedule, partial(torch.optim.SGD, lr=0.1), projections={"recorder": recorder}, gradients=doubled
    )
    module = FilterVisualizer(backbone(), method, "4", [0, 5])
    fit(module, gradient)
    assert len(recorder.gradients) == 4
    for one, other in zip(recorder.gradients, gradient.gradients, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-7)
    assert not module.image._forward_hooks


YOSINSKI = {"contribution": SmallContribution(50), "decay": Decay(0.1), "norm": SmallNorm(30), "ball": NormBall(5.0)}


def test_a_projection_does_the_same_whatever_the_images_own_space_is() -> None:
    results = []
    for space in ("picture", "model"):
        # Steps as long as a picture's: those of pixels in the model's space are 1 / std longer, squared.
        still = Method(
            partial(PixelImage, init=PIXELS.keywords["init"], bound="none", space=space),
            constant(16, 3),
            partial(torch.optim.SGD, lr=1e-12),
            projections=YOSINSKI,
        )
        module = FilterVisualizer(backbone(), still, "4", [0, 1])
        fit(module)
        results.append(module.image().detach())
    torch.testing.assert_close(results[0], results[1], rtol=1e-4, atol=1e-5)
    norms = torch.linalg.vector_norm((results[0] - MEANS) / STDS, dim=(1, 2, 3))
    torch.testing.assert_close(norms, torch.full((2,), 5.0))


def test_a_filter_gets_the_same_picture_alone_and_beside_others() -> None:
    method = Method(
        partial(PIXELS, bound="none"), constant(16, 6), partial(torch.optim.SGD, lr=5.0), projections=YOSINSKI
    )
    pictures = []
    for filters in ([5, 2, 9], [2]):
        module = FilterVisualizer(backbone(), method, "4", filters)
        fit(module)
        pictures.append(module.image().detach()[filters.index(2)])
    torch.testing.assert_close(pictures[0], pictures[1], rtol=1e-3, atol=1e-4)


def test_the_norm_stays_what_was_asked_for_in_every_step() -> None:
    watch = Watch()
    image = partial(PIXELS, bound="none", space="model")
    schedule = Schedule((Stage(12, 2), Stage(16, 2)))
    method = Method(image, schedule, partial(torch.optim.SGD, lr=5.0), projections={"ball": NormBall()})
    fit(FilterVisualizer(backbone(), method, "4", [0, 1]), watch)
    for after in watch.pictures:
        normalized = (after - MEANS) / STDS
        torch.testing.assert_close(normalized.square().mean((1, 2, 3)), torch.ones(2), rtol=1e-4, atol=0)
