"""FilterVisualizer, the LightningModule whose learnable parameter is the picture."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from typing import Any

import torch
from lightning import LightningModule
from torch import Tensor
from typing_extensions import override

from featviz.errors import FeatvizError, one_line
from featviz.filters import seed_of
from featviz.images.alpha import over
from featviz.images.base import Image, check_pixels
from featviz.models.backbone import Backbone
from featviz.models.redirected_relu import RedirectedReLU
from featviz.objectives.base import PIXELS, photo_key
from featviz.optim.feature_regularizers import FeatureRegularizer
from featviz.optim.method import Method, check_alpha
from featviz.optim.opacity import accumulate_magnitude, opacity_from_gradients
from featviz.optim.shown import display_of
from featviz.results.display import Display
from featviz.results.tensors import quantize
from featviz.results.units import Units
from featviz.transforms import DrawnTransforms
from featviz.transforms.base import GRAY

WORTHWHILE = 300  # passes of a picture: to find out which filters can be left out takes nine, and saves one in thirty


class FilterVisualizer(LightningModule):
    """Makes the pictures of N filters of one layer: N independent optimizations in one batch.

    A filter that is named several times gets as many pictures (variants). The start and the random draws of a picture
    come from the seed, the layer's module name, the filter's number and the variant, never from its place in the
    batch. Train it for one epoch over ``range(schedule.total_steps)``.
    """

    def __init__(self, backbone: Backbone, method: Method, layer: str, filters: Sequence[int], seed: int = 0) -> None:
        super().__init__()
        if method.redirect_steps < 0:
            raise FeatvizError(setting="redirect_steps", got=method.redirect_steps, expected="zero or more")
        self.backbone = backbone
        self.method = method = method.for_layer(backbone.layers[layer], backbone.trace.size)
        self._stride = backbone.trace.stride(backbone.layers[layer])
        self.layer = layer
        self.filters = list(filters)
        self.variants = [self.filters[:at].count(number) for at, number in enumerate(self.filters)]
        seeds = self._seeds(seed)
        self.picture_ids = [self.layer, self.filters, seeds]  # what tells these pictures from others of the run
        self.image = self._image([torch.Generator().manual_seed(s) for s in seeds])
        self.objective = method.objective(layer=layer, filters=self.filters)
        self.objective.prepare(backbone)
        for name, regularizer in method.feature_regularizers.items():
            regularizer.check(backbone, f"regularizers.{name}")
        alone = not method.feature_regularizers and len(filters) * method.schedule.total_steps >= WORTHWHILE
        self._filters_read = self.objective.filters_read if alone else None
        transforms = method.transforms.behind(self.image.background)
        self.draws = _draws(seeds, method.schedule.total_steps, transforms.draws)
        self.transforms = DrawnTransforms(transforms, self.draws)
        self.failed: Tensor
        self.register_buffer("failed", torch.zeros(len(self.filters), dtype=torch.bool), persistent=False)
        self.gradient_magnitude: Tensor | None = None  # (N, H, W), summed over the steps
        self.scores = torch.zeros(len(self.filters))
        self.terms: dict[str, Tensor] = {}
        self.steps_done = 0
        self.optimizer_eps = 0.0  # added to the size of gradients, which are divided by it
        self.strict_loading = False  # a checkpoint holds the image alone

    def _seeds(self, seed: int) -> list[int]:
        module = self.backbone.layers[self.layer].name
        picture_ids = zip(self.filters, self.variants, strict=True)
        return [seed_of(seed, module, number, *[variant] * (variant > 0)) for number, variant in picture_ids]

    def _image(self, generators: Sequence[torch.Generator]) -> Image:
        method, model = self.method, self.backbone.model
        stages = method.schedule.stages
        image = method.image(size=stages[0].size, generators=generators, mean=model.mean, std=model.std)
        if not model.bounded:
            image.unbound(model.mean, model.std)
        if method.projections or (method.schedule.blur and len(stages) > 1):
            image.project(lambda pictures: pictures)
        for name, change in method.gradients.items():
            if getattr(change, "of_pixels", False):
                check_pixels(image, f"gradients.{name}")
        check_alpha(method, image)
        return image

    @override
    def training_step(self, batch: int, batch_idx: int) -> Tensor:
        """Loss of a step: the sum over pictures of minus score plus regularizers."""
        method, step = self.method, batch_idx
        pictures = self.image()
        if method.opacity:
            pictures.register_hook(self._accumulate_gradient)
        progress = step / max(method.schedule.total_steps - 1, 1)
        with self._pass_context(step):
            maps = self._maps(pictures, step, progress)
        maps = self.objective.completed(maps) | self._pixels(pictures, len(maps[self.layer]))
        scores = self._mean_over_copies(self.objective, {**maps, **self._maps_of_photos(step, progress)})
        terms = self._penalties(pictures, maps)
        self.scores, self.terms = scores.detach(), {name: term.detach() for name, term in terms.items()}
        return sum(terms.values(), -scores).sum()

    def _pass_context(self, step: int) -> ExitStack:
        """The context of a step's pass: the network hands back other gradients, and computes only what is read."""
        contexts = ExitStack()
        for change in self.method.pass_gradients(self._stride):
            contexts.enter_context(change)
        if step < self.method.redirect_steps:
            contexts.enter_context(RedirectedReLU())
        elif self._filters_read is not None:
            contexts.enter_context(self.backbone.only(self._filters_read))
        return contexts

    @torch.no_grad()
    def _maps_of_photos(self, step: int, progress: float) -> dict[str, Tensor]:
        """Feature maps of the objective's photos, changed by the numbers that the pictures are changed by."""
        maps = dict[str, Tensor]()
        if not self.transforms.transforms.steps:
            return maps  # the objective sees them as they are by itself, once
        for name, photos in self.objective.photos(self.image.size).items():
            each = photos.to(self.backbone.mean.device).expand(len(self.filters), *[-1] * (photos.ndim - 1))
            if self.image.background:
                each = torch.cat([each, torch.ones_like(each[:, :1])], 1)  # photos are opaque
            maps |= {photo_key(layer, name): map_ for layer, map_ in self._maps(each, step, progress).items()}
        return maps

    def _maps(self, pictures: Tensor, step: int, progress: float) -> dict[str, Tensor]:
        """Feature maps of pictures, as they are changed in a step."""
        changed = self.transforms(pictures, step, progress, self.backbone.normalization)
        return self.backbone(changed, normalized=True)

    def _pixels(self, pictures: Tensor, count: int) -> dict[str, Tensor]:
        """What the network sees of pictures without transforms, for each of ``count`` copies, if it is asked for."""
        if not self.objective.needs_pixels:
            return {}
        seen = (pictures.to(self.backbone.mean)[:, : self.image.channels] - self.backbone.mean) / self.backbone.std
        return {PIXELS: seen.repeat(count // len(pictures), *[1] * (seen.ndim - 1))}

    def _penalties(self, pictures: Tensor, maps: dict[str, Tensor]) -> dict[str, Tensor]:
        """The regularizers' penalties (N,), by name."""
        penalties = dict[str, Tensor]()
        for name, regularizer in self.method.regularizers.items():
            if isinstance(regularizer, FeatureRegularizer):
                penalties[name] = self._mean_over_copies(partial(regularizer, backbone=self.backbone), maps)
            else:
                penalties[name] = regularizer(pictures)
        return penalties

    def _mean_over_copies(self, function: Callable[[dict[str, Tensor]], Tensor], maps: dict[str, Tensor]) -> Tensor:
        """What a function of feature maps gives, (N,): the mean over the transforms' copies of each picture."""
        count = len(self.filters)
        copies = len(maps[self.layer]) // count
        if copies == 1:
            return function(maps)
        parts = [{name: m[at * count : (at + 1) * count] for name, m in maps.items()} for at in range(copies)]
        return torch.stack([function(part) for part in parts]).mean(0)

    def _accumulate_gradient(self, gradient: Tensor) -> None:
        self.gradient_magnitude = accumulate_magnitude(self.gradient_magnitude, gradient)

    @override
    def configure_optimizers(self) -> Any:
        """Build the optimizer of the image's parameter, and its learning rates over the steps."""
        try:
            optimizer = self.method.optimizer(self.image.parameters())
        except (TypeError, ValueError) as error:
            raise FeatvizError(f"optimizer: {one_line(error)}", setting="optimizer") from error
        for group in optimizer.param_groups:
            if not group["lr"] > 0:
                raise FeatvizError(setting="optimizer.lr", got=group["lr"], expected="a number above zero")
            self.optimizer_eps = group.get("eps", 0.0)
        if self.method.lr_schedule is None:
            return optimizer
        schedule = self.method.lr_schedule(optimizer, total_steps=self.method.schedule.total_steps)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    @override
    def optimizer_step(
        self, epoch: int, batch_idx: int, optimizer: Any, optimizer_closure: Callable[[], Any] | None = None
    ) -> None:
        super().optimizer_step(epoch, batch_idx, optimizer, optimizer_closure)
        self.steps_done = batch_idx + 1

    @torch.no_grad()
    def measure(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """What must rise, and activations, each (N,) on the CPU, of pictures without transforms."""
        return self.measured(self.maps(pictures))

    @torch.no_grad()
    def maps(self, pictures: Tensor) -> dict[str, Tensor]:
        """The feature maps of pictures without transforms."""
        maps: dict[str, Tensor] = self.backbone(pictures.to(self.backbone.mean.device))
        return maps | self._pixels(pictures, len(pictures))

    @torch.no_grad()
    def measured(self, maps: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """As ``measure``, of feature maps."""
        return self.objective.progress(maps).float().cpu(), self.objective.activation(maps).float().cpu()

    @torch.no_grad()
    def pictures(self) -> Tensor:
        """The pictures as they are now, (N, C, ...), on the CPU; over gray, where transparent.

        They are clipped to [0, 1], where the network's values have bounds.
        """
        pictures = self.image().float()
        pictures = over(pictures, GRAY) if self.image.background else pictures
        return (pictures.clamp(0, 1) if self.backbone.model.bounded else pictures.clone()).cpu()

    def finished(self) -> Tensor:
        """The pictures as they are now, as they are saved: rounded to 8 bits, unless raw ones are asked for.

        Where the network's values are no colors, they are never rounded.
        """
        pictures = self.pictures()
        return pictures if self.units else quantize(pictures)

    @property
    def units(self) -> Units | None:
        """The network's own unit, where pictures are saved in it."""
        model = self.backbone.model
        return Units(model.mean, model.std) if self.method.raw or not model.has_colors else None

    @property
    def display(self) -> Display:
        """How pictures become images."""
        return display_of(self.backbone.model)

    @torch.no_grad()
    def opacity(self) -> Tensor | None:
        """How opaque each pixel is, (N, 1, H, W) in [0, 1], where that is learned or asked for.

        Asked for, it is how much the pixel has mattered (MACO, arXiv 2306.06805).
        """
        if self.image.background:
            return self.image()[:, -1:].float().cpu()
        return None if self.gradient_magnitude is None else opacity_from_gradients(self.gradient_magnitude)

    @override
    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the image, not the model's weights."""
        state = checkpoint["state_dict"]
        checkpoint["state_dict"] = {name: value for name, value in state.items() if name.startswith("image.")}
        checkpoint["featviz"] = {
            "pictures": self.picture_ids,
            "size": self.image.size,
            "steps_done": self.steps_done,
            "failed": self.failed.tolist(),
            "gradient_magnitude": self.gradient_magnitude,
        }

    @override
    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Bring the image to the size that it had when it was saved, before its values are put in."""
        saved = checkpoint["featviz"]
        self.image.resize(saved["size"])
        self.steps_done = saved["steps_done"]
        self.failed = torch.tensor(saved["failed"], device=self.failed.device)
        self.gradient_magnitude = saved["gradient_magnitude"]


def _draws(seeds: Sequence[int], steps: int, draws: int) -> Tensor:
    """Uniform numbers (N, steps, draws) on the CPU; a step's do not depend on how many steps there are."""
    generators = [torch.Generator().manual_seed(seed_of(seed, "transforms")) for seed in seeds]
    return torch.stack([torch.rand(steps, draws, generator=generator) for generator in generators])
