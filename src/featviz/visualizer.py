"""FilterVisualizer, the LightningModule whose learnable parameter is the picture."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any

import torch
from lightning import LightningModule
from torch import Tensor, nn

from featviz.backbone import Backbone
from featviz.errors import FeatvizError, one_line
from featviz.images.image import Image
from featviz.layers import seed_of
from featviz.objectives import Channel, Objective, filter_activations
from featviz.projections import Projection
from featviz.rectifiers import RedirectedRectifiers
from featviz.schedule import Schedule
from featviz.transforms import Transforms

Regularizer = Callable[[Tensor], Tensor]
OptimizerFactory = Callable[[Iterable[nn.Parameter]], torch.optim.Optimizer]


@dataclass
class Method:
    """How pictures are made: the pieces of a recipe. ``image`` builds an Image from size, generators, mean and std."""

    image: Callable[..., Image]
    schedule: Schedule
    optimizer: OptimizerFactory
    objective: Callable[..., Objective] = Channel
    transforms: Transforms = field(default_factory=Transforms)
    regularizers: Mapping[str, Regularizer] = field(default_factory=dict)
    projections: Mapping[str, Projection] = field(default_factory=dict)
    redirect_steps: int = 0


class FilterVisualizer(LightningModule):
    """Makes the pictures of N filters of one layer: N independent optimisations in one batch.

    The start and the random draws of a picture come from the seed, the layer's module name and the filter's number,
    never from its place in the batch. Train it for one epoch over ``range(schedule.total_steps)``.
    """

    def __init__(self, backbone: Backbone, method: Method, layer: str, filters: Sequence[int], seed: int = 0) -> None:
        super().__init__()
        if method.redirect_steps < 0:
            raise FeatvizError(f"redirect_steps is {method.redirect_steps}; expected zero or more")
        self.backbone = backbone
        self.method = method
        self.layer = layer
        self.filters = list(filters)
        model, module_name = backbone.model, backbone.layers[layer].name
        seeds = [seed_of(seed, module_name, number) for number in self.filters]
        generators = [torch.Generator().manual_seed(s) for s in seeds]
        first = method.schedule.stages[0]
        self.image = method.image(size=first.size, generators=generators, mean=model.mean, std=model.std)
        if method.projections or (method.schedule.blur and len(method.schedule.stages) > 1):
            self.image.project(lambda pictures: pictures)
        self.objective = method.objective(layer=layer, filters=self.filters)
        self.draws: Tensor
        self.register_buffer("draws", _draws(seeds, method.schedule.total_steps, method.transforms.draws), False)
        self.failed: Tensor
        self.register_buffer("failed", torch.zeros(len(self.filters), dtype=torch.bool), persistent=False)
        self.scores = torch.zeros(len(self.filters))
        self.terms: dict[str, Tensor] = {}
        self.steps_done = 0
        self.strict_loading = False  # a checkpoint holds the image alone

    def training_step(self, batch: int, batch_idx: int) -> Tensor:  # noqa: ARG002 - a step has no data
        """Loss of a step: the sum over pictures of minus score plus regularizers."""
        method, step = self.method, batch_idx
        pictures = self.image()
        with RedirectedRectifiers() if step < method.redirect_steps else nullcontext():
            scores = self.objective(self.backbone(method.transforms(pictures, self.draws[:, step])))
        terms = {name: penalty(pictures) for name, penalty in method.regularizers.items()}
        self.scores, self.terms = scores.detach(), {name: term.detach() for name, term in terms.items()}
        return sum(terms.values(), -scores).sum()

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Build the optimizer of the image's parameter."""
        try:
            optimizer = self.method.optimizer(self.image.parameters())
        except (TypeError, ValueError) as error:
            raise FeatvizError(f"optimizer: {one_line(error)}") from error
        for group in optimizer.param_groups:
            if not group["lr"] > 0:
                raise FeatvizError(f"optimizer.lr is {group['lr']}; expected a number above zero")
        return optimizer

    @torch.no_grad()
    def activations(self, pictures: Tensor) -> Tensor:
        """Spatial mean of each picture's own filter, (N,), without transforms."""
        return filter_activations(self.backbone(pictures.to(self.backbone.mean.device))[self.layer], self.filters)

    @torch.no_grad()
    def pictures(self) -> Tensor:
        """The pictures as they are now, (N, C, H, W), clipped to [0, 1], on the CPU."""
        return self.image().float().clamp(0, 1).cpu()

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the image, not the model's weights."""
        state = checkpoint["state_dict"]
        checkpoint["state_dict"] = {name: value for name, value in state.items() if name.startswith("image.")}
        checkpoint["featviz"] = {"size": self.image.size, "steps_done": self.steps_done, "failed": self.failed.tolist()}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Bring the image to the size that it had when it was saved, before its values are put in."""
        kept = checkpoint["featviz"]
        self.image.resize(kept["size"])
        self.steps_done = kept["steps_done"]
        self.failed = torch.tensor(kept["failed"], device=self.failed.device)


def _draws(seeds: Sequence[int], steps: int, draws: int) -> Tensor:
    """Uniform numbers (N, steps, draws); a step's do not depend on how many steps there are."""
    generators = [torch.Generator().manual_seed(seed_of(seed, "transforms")) for seed in seeds]
    return torch.stack([torch.rand(steps, draws, generator=generator) for generator in generators])
