"""The recipe fg91_2019 against the seed's algorithm, written anew with NumPy and OpenCV but for the gradient."""

from collections.abc import Callable
from itertools import accumulate

import cv2
import numpy as np
import pytest
import torch
from torch import nn

import featviz
from featviz.models.backbone import Backbone
from featviz.models.model import Model
from featviz.models.sources import efficientnet_lite
from featviz.optim.visualizer import FilterVisualizer
from featviz.runs.build_method import build_method
from featviz.runs.python_calls import composed_for

SIZES = [56, 67, 80, 96, 115, 138, 165, 198, 237, 284, 340, 408]
FEW = ["schedule.stages=[[56,20],[67,26]]"]
#: The recipe has three more sizes before and three more behind the one at which steps become more.
HALF = ["schedule.stages=[[56,20],[67,20],[80,20],[96,26],[115,26],[138,26]]"]
Gradient = Callable[[np.ndarray], tuple[float, np.ndarray]]


def network() -> Model:
    """Smooth, so that rounding does not grow into another picture."""
    with torch.random.fork_rng():
        torch.manual_seed(3)
        made = nn.Sequential(
            nn.Conv2d(3, 8, 5, 2), nn.Softplus(), nn.Conv2d(8, 12, 3, 2), nn.Softplus(), nn.Conv2d(12, 6, 3)
        )
    return Model("smooth", made, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225), 224, "given")


def adam(values: np.ndarray, gradient: Gradient, steps: int) -> np.ndarray:
    """Kingma, Ba 2015 with lr 0.1 and weight decay 1e-6 added to the gradient; starts anew each time it is called."""
    first, second = np.zeros_like(values), np.zeros_like(values)
    for step in range(1, steps + 1):
        slope = gradient(values)[1] + 1e-6 * values
        first = 0.9 * first + 0.1 * slope
        second = 0.999 * second + 0.001 * slope**2
        values = values - 0.1 * (first / (1 - 0.9**step)) / (np.sqrt(second / (1 - 0.999**step)) + 1e-8)
    return values


def seeds_algorithm(
    start: np.ndarray, gradient: Gradient, mean: np.ndarray, std: np.ndarray, number: int = 12, late_after: int = 6
) -> list[np.ndarray]:
    """The picture (H, W, 3) after each size, not clipped; ``gradient`` is that of the loss in the normalized space."""
    picture, pictures = start.astype(np.float64), []
    for index in range(number):
        values = adam((picture - mean) / std, gradient, int(20 * 1.3) if index > late_after else 20)
        picture = values * std + mean
        pictures.append(picture)
        side = int(1.2 * picture.shape[0])
        picture = cv2.blur(cv2.resize(picture, (side, side), interpolation=cv2.INTER_CUBIC), (5, 5))
    return pictures


def loss_of(model: Model, layer: str, number: int) -> Gradient:
    """Minus the mean of a filter's map, and its gradient, for normalized pixels (H, W, 3)."""
    backbone = Backbone(Model(model.name, model.network, (0.0,), (1.0,), model.size, "given", model.stages), [layer])

    def gradient(values: np.ndarray) -> tuple[float, np.ndarray]:
        pixels = torch.from_numpy(values).float().permute(2, 0, 1)[None].requires_grad_()
        loss = -backbone(pixels)[layer][0, number].mean()
        (slope,) = torch.autograd.grad(loss, pixels)
        return loss.item(), slope[0].permute(1, 2, 0).double().numpy()

    return gradient


def both(model: Model, layer: str, number: int, *overrides: str) -> tuple[np.ndarray, list[np.ndarray], Gradient]:
    """Our finished picture, the reference's after each size, and the loss."""
    method = build_method(composed_for("efficientnet_lite0", ["recipe=fg91_2019", *overrides]), model.size)
    first = FilterVisualizer(Backbone(model, [layer]), method, layer, [number]).pictures()[0].permute(1, 2, 0).numpy()
    mean, std = np.array(model.mean), np.array(model.std)
    loss = loss_of(model, layer, number)
    stages = method.schedule.stages
    late = next((at for at, stage in enumerate(stages) if stage.steps == 26), len(stages)) - 1
    reference = seeds_algorithm(first, loss, mean, std, len(stages), late)
    made = featviz.visualize(
        model, layer, [number], "fg91_2019", overrides=["callbacks=none", "evidence=none", *overrides]
    )
    return made.images[0].permute(1, 2, 0).numpy(), reference, loss


def activation(loss: Gradient, picture: np.ndarray, model: Model) -> float:
    return -loss((picture.clip(0, 1) - np.array(model.mean)) / np.array(model.std))[0]


def test_the_configuration_holds_the_sources_numbers() -> None:
    cfg = composed_for("efficientnet_lite0", ["recipe=fg91_2019"])
    schedule = build_method(cfg, 224).schedule
    assert [stage.size for stage in schedule.stages] == SIZES
    assert list(accumulate([56] + [0] * 11, lambda size, _: int(1.2 * size))) == SIZES
    assert [stage.steps for stage in schedule.stages] == [20] * 7 + [26] * 5
    assert (schedule.total_steps, schedule.blur, schedule.optimizer) == (270, 5, "reset")
    assert cfg.optimizer._target_ == "torch.optim.Adam"
    assert (cfg.optimizer.lr, cfg.optimizer.weight_decay, cfg.optimizer.betas) == (0.1, 1e-6, [0.9, 0.999])
    assert (cfg.image.space, cfg.image.color, cfg.image.bound) == ("model", "rgb", "none")
    assert cfg.image.init.low == pytest.approx(128 / 255)
    assert cfg.image.init.high == pytest.approx((20 + 128) / 255)
    assert [dict(cfg[group]) for group in ("transforms", "regularizers", "gradients", "projections")] == [{}] * 4
    assert cfg.redirect_steps == 0


def test_the_same_picture_after_the_first_size() -> None:
    ours, (reference,), _ = both(network(), "4", 2, "schedule.stages=[[56,20]]")
    assert np.abs(ours - reference.clip(0, 1)).max() <= 0.5 / 255 + 1e-4  # rounded to a PNG's levels
    assert np.abs(ours - 0.54).max() > 0.2  # it has moved


@pytest.mark.end_to_end
def test_the_same_mean_activation_at_the_end() -> None:
    model = network()
    ours, reference, loss = both(model, "4", 2, *HALF)
    assert ours.shape == reference[-1].shape == (138, 138, 3)
    assert activation(loss, ours, model) == pytest.approx(activation(loss, reference[-1], model), rel=0.05)
    assert activation(loss, ours, model) > 2 * abs(activation(loss, np.full_like(ours, 0.54), model))


@pytest.mark.end_to_end
def test_on_a_real_network() -> None:
    model = efficientnet_lite.load()
    ours, reference, loss = both(model, "layer2", 3, *FEW)
    assert activation(loss, ours, model) == pytest.approx(activation(loss, reference[-1], model), rel=0.05)
    assert activation(loss, ours, model) > 5 * abs(activation(loss, np.full_like(ours, 0.54), model))
