"""Fits of a network with dropout and batch norm, in the environment of a run."""

import fitting
import torch
from lightning import Callback, Trainer
from torch import nn

from featviz.models.backbone import Backbone
from featviz.models.model import Model
from featviz.optim.method import Method
from featviz.optim.schedules import Stage
from featviz.optim.visualizer import FilterVisualizer
from featviz.runs.process import run_environment

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
