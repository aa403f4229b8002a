"""Fits of a network with dropout and batch norm, in the environment of a run."""

from functools import partial

import fitting
import torch
from fitting import ADAM, OLAH, PIXELS
from lightning import Callback, Trainer
from torch import nn

from featviz.images.fourier import FourierImage
from featviz.models.backbone import Backbone
from featviz.models.model import Model
from featviz.optim.method import Method
from featviz.optim.projections import Clip
from featviz.optim.regularizers import TotalVariation
from featviz.optim.schedules import Schedule, Stage, constant
from featviz.optim.visualizer import FilterVisualizer
from featviz.runs.process import run_environment
from featviz.transforms import Transforms

GROWING = (Stage(12, 4), Stage(16, 3), Stage(21, 4))
#: Of several kinds: growing pictures, an optimizer that starts anew, projections.
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
