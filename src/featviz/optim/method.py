"""A method: the pieces of a recipe, built."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn

from featviz.errors import FeatvizError
from featviz.images.base import Image
from featviz.metrics.picture_metrics import PictureMetrics
from featviz.models.layers import Layer
from featviz.objectives import Channel, Objective
from featviz.optim.feature_regularizers import FeatureRegularizer
from featviz.optim.gradients import GradientChange
from featviz.optim.projections import Projection
from featviz.optim.schedules import Schedule
from featviz.shapes import Size
from featviz.transforms import Transforms

#: Pictures (N, C, H, W), or films, to penalties (N,), or what the network makes of them.
Regularizer = Callable[[Tensor], Tensor] | FeatureRegularizer


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
    raw: bool = False  # finished pictures are not rounded
    evidence: PictureMetrics | None = None

    def for_layer(self, layer: Layer, size: Size) -> Method:
        """The method for a layer of a network that takes pictures of ``size`` px."""
        return replace(self, schedule=self.schedule.for_stride(layer.stride(size)))

    @property
    def image_gradients(self) -> list[GradientChange]:
        """The changes of the gradient of the image's values."""
        return [change for change in self.gradients.values() if not getattr(change, "of_pass", False)]

    def pass_gradients(self, stride: int | None) -> list[AbstractContextManager[Any]]:
        """The changes of gradients within the network, up to a layer of this stride: contexts of one pass."""
        changes = [change for change in self.gradients.values() if getattr(change, "of_pass", False)]
        return [context for context in (change(stride) for change in changes) if context is not None]

    @property
    def feature_regularizers(self) -> dict[str, FeatureRegularizer]:
        """The regularizers of what the network makes of the pictures, by name."""
        return {name: each for name, each in self.regularizers.items() if isinstance(each, FeatureRegularizer)}

    @property
    def needs_moments(self) -> bool:
        """Whether one of them needs the moments of what goes into the network's batch norms."""
        return any(each.needs_moments for each in self.feature_regularizers.values())


def check_alpha(method: Method, image: Image) -> None:
    """Raise FeatvizError for pieces that need a transparency which is not learned, or that would make another one."""
    for name, regularizer in method.regularizers.items():
        if getattr(regularizer, "of_alpha", False) and image.background is None:
            what = f"regularizers.{name} is of transparency, which the image does not learn"
            raise FeatvizError(what, setting=f"regularizers.{name}", expected="image=alpha")
    if method.opacity and image.shape.is_film:
        what = "opacity=true is of pictures, not of films"
        raise FeatvizError(what, setting="opacity", got=True, expected="opacity=false")
    if method.opacity and image.background:
        what = "opacity=true measures how much pixels matter, but the image learns how opaque they are"
        raise FeatvizError(what, setting="opacity", got=True, expected="opacity=false, or another image")
