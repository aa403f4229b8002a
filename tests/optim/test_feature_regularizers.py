from functools import partial

import numpy as np
import pytest
import torch
from fitting import ADAM, OLAH
from growing import fit, network
from refusals import assert_refused
from torch import Tensor, nn

from featviz.images.fourier import FourierImage
from featviz.models.backbone import Backbone
from featviz.models.model import Model
from featviz.models.speed.faster_copy import SpeedOptions
from featviz.optim.feature_regularizers import BatchNormDistance
from featviz.optim.method import Method
from featviz.optim.schedules import constant
from featviz.optim.visualizer import FilterVisualizer
from featviz.transforms import Copies, Noise, Roll, Transforms


def deep() -> nn.Sequential:
    """Two batch norms, which have seen pictures of large squares."""
    made = nn.Sequential(*network(), nn.BatchNorm2d(16), nn.ReLU()).eval()
    squares = torch.rand(8, 3, 4, 4, generator=torch.Generator().manual_seed(5)).repeat_interleave(8, 2)
    for norm in (made[1], made[5]):
        norm.reset_running_stats()
        norm.momentum = None  # all that is seen counts
        norm.train()
    with torch.no_grad():
        made((squares.repeat_interleave(8, 3) - 0.45) / 0.25)
    return made.eval()


def backbone(layer: str = "5") -> Backbone:
    model = Model("tiny", deep(), (0.45,), (0.25,), 32, "random")
    return Backbone(model, [layer], fast=SpeedOptions(), moments=True)


def pictures() -> Tensor:
    return torch.rand(3, 3, 32, 32, generator=torch.Generator().manual_seed(4))


def expected(x: Tensor, standardized: bool) -> np.ndarray:
    """In NumPy, from what goes into the two norms."""
    made, total = deep(), np.zeros(len(x))
    x = (x - 0.45) / 0.25
    for at in (1, 5):
        features, norm = made[:at](x).detach().double().numpy(), made[at]
        mean = features.mean((2, 3)) - norm.running_mean.numpy()
        var = features.var((2, 3)) - norm.running_var.numpy()
        if standardized:
            mean, var = (d / (norm.running_var.numpy() + norm.eps) ** p for d, p in ((mean, 0.5), (var, 1)))
            total += sum(np.sqrt((d**2).mean(1)) for d in (mean, var)) / 2
        else:
            total += np.linalg.norm(mean, axis=1) + np.linalg.norm(var, axis=1)
    return total


@pytest.mark.parametrize("standardized", [True, False])
def test_the_distance_equals_numpy(standardized: bool) -> None:
    found, x = backbone(), pictures()
    penalty = BatchNormDistance(0.7, standardized)
    np.testing.assert_allclose(penalty(found(x), found), 0.7 * expected(x, standardized), rtol=1e-4)
    np.testing.assert_allclose(penalty(found(x[1:2]), found), 0.7 * expected(x, standardized)[1:2], rtol=1e-4)


def test_only_norms_before_the_layer_count() -> None:
    found, x = backbone("4"), pictures()
    (key,) = found.running_moments
    assert key == "moments into 1:1"
    assert (BatchNormDistance()(found(x), found) != BatchNormDistance()(backbone()(x), backbone())).all()


@pytest.mark.parametrize("standardized", [True, False])
def test_at_the_running_statistics_it_is_zero_and_its_gradient_finite(standardized: bool) -> None:
    found = backbone()
    maps = {key: torch.stack([r.mean, r.var])[None].requires_grad_() for key, r in found.running_moments.items()}
    penalty = BatchNormDistance(1.0, standardized)(maps, found)
    penalty.sum().backward()
    assert penalty.item() == 0
    assert all(torch.equal(moments.grad, torch.zeros_like(moments)) for moments in maps.values())


def fitted(weight: float, filters: list[int], **settings: object) -> FilterVisualizer:
    used = {"batch_norm": BatchNormDistance(weight)} if weight else {}
    module = FilterVisualizer(
        backbone(), Method(FourierImage, constant(24, 20), ADAM, regularizers=used, **settings), "5", filters
    )
    fit(module)
    return module


def test_it_lowers_its_own_distance_and_no_picture_sees_another() -> None:
    transforms = Transforms(OLAH)
    without, with_it = (fitted(weight, [0, 1], transforms=transforms) for weight in (0, 5.0))
    distance = partial(BatchNormDistance(), backbone=backbone())
    after, before = (distance(module.maps(module.pictures())) for module in (with_it, without))
    assert (after < 0.9 * before).all()
    alone = fitted(5.0, [1], transforms=transforms)
    torch.testing.assert_close(alone.pictures(), with_it.pictures()[1:], rtol=0, atol=2e-3)


def test_of_several_copies_the_mean_counts() -> None:
    transforms = Transforms({"copies": Copies(3), "roll": Roll(5), "noise": Noise(0.1)})
    method = Method(
        FourierImage, constant(24, 1), ADAM, transforms=transforms, regularizers={"batch_norm": BatchNormDistance()}
    )
    module = FilterVisualizer(backbone(), method, "5", [0, 1])
    module.training_step(0, 0)
    changed = module.transforms(module.image(), 0, 0.0)
    each = BatchNormDistance()(backbone()(changed), backbone()).view(3, 2)
    torch.testing.assert_close(module.terms["batch_norm"], each.mean(0).detach(), rtol=1e-4, atol=1e-5)


def test_networks_without_batch_norms_before_the_layer_are_refused() -> None:
    model = Model("bare", nn.Sequential(nn.Conv2d(3, 4, 3)), (0.5,), (0.25,), 32, "random")
    method = Method(FourierImage, constant(24, 1), ADAM, regularizers={"stats": BatchNormDistance()})
    assert_refused(
        lambda: FilterVisualizer(Backbone(model, ["0"], moments=True), method, "0", [0]),
        "regularizers.stats",
        None,
        "another network, or a later layer",
    )
    assert_refused(lambda: BatchNormDistance(-1.0), "regularizers.batch_norm.weight", -1.0, "zero or more")
