"""A method: the pieces of a recipe, built."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from featviz.images.base import Image
from featviz.metrics.picture_metrics import PictureMetrics
from featviz.objectives import Channel, Objective
from featviz.optim.gradients import GradientChange
from featviz.optim.projections import Projection
from featviz.optim.schedules import Schedule
from featviz.transforms import Transforms

Regularizer = Callable[[Tensor], Tensor]


OptimizerFactory = Callable[[Iterable[nn.Parameter]], torch.optim.Optimizer]


LrScheduleFactory = Callable[..., torch.optim.lr_scheduler.LRScheduler]


@dataclass
class Method:
    """How pictures are made: the pieces of a recipe. ``image`` builds an Image from size, generators, mean and std."""

    image: Callable[..., Image]
    schedule: Schedule
    optimizer: OptimizerFactory
    objective: Callable[..., Objective] = Channel
    transforms: Transforms = field(default_factory=Transforms)
    regularizers: Mapping[str, Regularizer] = field(default_factory=dict)
    gradients: Mapping[str, GradientChange] = field(default_factory=dict)
    projections: Mapping[str, Projection] = field(default_factory=dict)
    lr_schedule: LrScheduleFactory | None = None
    redirect_steps: int = 0
    opacity: bool = False
    evidence: PictureMetrics | None = None
