import math
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from fitting import Watch, backbone, fit
from refusals import assert_refused
from torch.optim.lr_scheduler import CosineAnnealingLR

from featviz.images.fourier import FourierImage
from featviz.optim.callbacks.checkpoint import ImageCheckpoint
from featviz.optim.lr_schedules import cosine, warmup, warmup_cosine
from featviz.optim.method import Method
from featviz.optim.schedules import Schedule, Stage, constant
from featviz.optim.visualizer import FilterVisualizer

ADAM = partial(torch.optim.Adam, lr=0.2)
SCHEDULES = {"cosine": cosine, "warmup": warmup, "warmup_cosine": warmup_cosine}


def rates(factory: Callable[..., object], steps: int) -> list[float]:
    """The learning rate of each step, of 0.2."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.2)
    schedule = factory(optimizer, total_steps=steps)
    used = []
    for _ in range(steps):
        used.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return used


@pytest.mark.parametrize("end", [0.0, 0.25])
@pytest.mark.parametrize("steps", [1, 2, 10, 401])
def test_cosine_is_torchs(steps: int, end: float) -> None:
    expected = rates(lambda optimizer, total_steps: CosineAnnealingLR(optimizer, total_steps, 0.2 * end), steps)
    np.testing.assert_allclose(rates(partial(cosine, end=end), steps), expected, rtol=1e-6)


@pytest.mark.parametrize(("steps", "share", "rising"), [(100, 0.05, 5), (40, 0.5, 20), (10, 0.0, 0), (4, 0.99, 4)])
def test_warmup_rises_linearly_and_stays(steps: int, share: float, rising: int) -> None:
    expected = [0.2 * min((step + 1) / (rising + 1), 1) for step in range(steps)]
    np.testing.assert_allclose(rates(partial(warmup, share=share), steps), expected)


def test_warmup_and_cosine_meet_at_the_whole_rate() -> None:
    used = rates(partial(warmup_cosine, share=0.2, end=0.1), 50)
    expected = [0.2 * (step + 1) / 11 for step in range(10)]
    expected += [0.2 * (0.1 + 0.9 * (1 + math.cos(math.pi * step / 40)) / 2) for step in range(40)]
    np.testing.assert_allclose(used, expected)
    assert used[10] == pytest.approx(0.2)


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize(
    "schedule",
    [
        constant(16, 12),
        Schedule((Stage(12, 4), Stage(16, 3), Stage(21, 5))),
        Schedule((Stage(12, 4), Stage(16, 3), Stage(21, 5)), optimizer="reset"),
    ],
    ids=["one size", "keep", "reset"],
)
def test_a_fit_uses_its_rates(name: str, schedule: Schedule) -> None:
    watch = Watch()
    module = FilterVisualizer(
        backbone(), Method(FourierImage, schedule, ADAM, lr_schedule=SCHEDULES[name]), "4", [0, 1]
    )
    start = module.measure(module.pictures())[0]
    fit(module, watch)
    np.testing.assert_allclose(watch.rates, rates(SCHEDULES[name], 12))
    assert (module.measure(module.pictures())[0] > start).all()


def test_the_last_step_of_a_cosine_hardly_moves() -> None:
    watch = Watch()
    method = Method(FourierImage, constant(16, 30), ADAM, lr_schedule=cosine)
    fit(FilterVisualizer(backbone(), method, "4", [0]), watch)
    moved = [(after - before).abs().mean().item() for before, after in pairwise(watch.pictures)]
    assert moved[-1] < 0.1 * max(moved)


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_checkpoint_with_a_schedule_can_be_loaded(name: str, tmp_path: Path) -> None:
    method = Method(FourierImage, constant(16, 3), ADAM, lr_schedule=SCHEDULES[name])
    fit(FilterVisualizer(backbone(), method, "4", [0]), ImageCheckpoint(str(tmp_path)))
    (kept,) = torch.load(tmp_path / "image.ckpt", weights_only=True)["lr_schedulers"]
    assert kept["last_epoch"] == 3


@pytest.mark.parametrize(
    ("call", "setting", "got", "right"),
    [
        (partial(warmup, share=1.0), "lr_schedule.share", 1.0, "a share of all steps, from 0 to below 1"),
        (partial(warmup_cosine, share=-0.1), "lr_schedule.share", -0.1, "a share of all steps, from 0 to below 1"),
        (partial(cosine, end=1.1), "lr_schedule.end", 1.1, "a share of the learning rate, from 0 to 1"),
    ],
)
def test_shares_that_are_none_are_refused(call: Callable[..., object], setting: str, got: object, right: str) -> None:
    assert_refused(lambda: call(torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))]), 10), setting, got, right)


# on the command line
