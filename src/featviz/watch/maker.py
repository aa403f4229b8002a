"""Makes the pictures of a network that is being trained: everything that stays the same is built once."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from lightning import Trainer
from lightning.pytorch.utilities.exceptions import SIGTERMException
from omegaconf import DictConfig, OmegaConf
from torch import Tensor, nn
from typing_extensions import override

from featviz.models.backbone import Backbone
from featviz.models.hooks import device_of
from featviz.models.input_channels import takes
from featviz.models.model import Model
from featviz.models.sources.own import from_module
from featviz.optim.callbacks import PictureCallback
from featviz.optim.visualizer import FilterVisualizer
from featviz.runs.build import build_run
from featviz.runs.chunk import Chunk, ChunkResult, make_chunk
from featviz.runs.plan import LayerPlan, Plan, check_plan, make_plan
from featviz.runs.python_calls import configured
from featviz.shapes import Size
from featviz.watch.batches import PictureShape
from featviz.watch.networks import snapshot
from featviz.watch.settings import OVERRIDES, WatchSettings

TRIED = 4  # steps that show how long all of them take
MOST_TOGETHER = 32  # pictures, where batch_size is auto
PICTURES = 16  # of noise, by whose responses change is measured


@dataclass(frozen=True)
class Looked:
    """A network as it was at one time of its training, and the plan of its pictures."""

    plan: Plan

    def backbone(self, layer: LayerPlan) -> Backbone:
        """The part of the network that a layer's pictures need; it has to be closed."""
        return self.plan.backbone(layer)

    @torch.no_grad()
    def responses(self, layer: LayerPlan) -> Tensor:
        """What a layer's filters respond to noise that is always the same, mean over positions: (pictures, filters)."""
        backbone, model = self.backbone(layer), self.plan.model
        noise = torch.rand(PICTURES, model.in_channels, *model.shape, generator=torch.Generator().manual_seed(0))
        try:
            responses: Tensor = backbone(noise.to(backbone.mean.device))[layer.name].flatten(2).mean(2)
        finally:
            backbone.close()
        return responses.float().cpu()


class Maker:
    """Makes pictures of a network's units at several times of its training.

    Args:
        settings: what is asked for.
        network: as it is at the beginning; its copy is traced, and the configuration built for it.
        pictures: the shape of the training's, which is taken where the network takes it and the settings say no other.

    Raises:
        FeatvizError: a layer or filter does not exist, or the pieces of the recipe do not fit the network.
    """

    def __init__(self, settings: WatchSettings, network: nn.Module, pictures: PictureShape | None = None) -> None:
        self.settings = settings
        said = {name: value for name, value in settings.preprocessing.items() if value is not None}
        self._given = {**_shape_of_training(network, pictures), **said}
        model = self._model(network, "given")
        filters = "all" if settings.changing else settings.filters
        values = {"layer": list(settings.layers), "filters": filters, "seed": settings.seed}
        typed = [*OVERRIDES, *_on(device_of(network)), *settings.overrides]
        self.cfg, _ = configured(model, values, typed, f"recipe={settings.recipe}")
        _name_task(self.cfg)
        self._plan = make_plan(build_run(self.cfg, model))
        check_plan(self._plan, None)
        self._given |= {"size": model.size, "in_channels": model.in_channels}  # found by trying, once

    @property
    def layers(self) -> tuple[LayerPlan, ...]:
        """The layers with all filters that may be shown."""
        return self._plan.layers

    @property
    def size(self) -> Size:
        """Of the pictures that the network takes, in px."""
        return self._plan.model.size

    def batches(self, layer: LayerPlan, filters: Sequence[int]) -> list[list[int]]:
        """Filters of a layer in parts that are made at the same time."""
        size = self._plan.run.batch_size or MOST_TOGETHER
        many = max(size // layer.together, 1) * layer.together
        return [list(filters[first : first + many]) for first in range(0, len(filters), many)]

    def look_at(self, network: nn.Module, when: str) -> Looked:
        """Copy the network as it is now."""
        return Looked(replace(self._plan, run=replace(self._plan.run, model=self._model(network, when))))

    def make(self, looked: Looked, layer: LayerPlan, filters: Sequence[int]) -> ChunkResult:
        """Make the pictures of some filters of a layer; KeyboardInterrupt after Ctrl-C."""
        result = self._chunk(looked, layer, filters, ())
        if result.interrupted:
            raise KeyboardInterrupt
        return result

    def seconds(self, looked: Looked, layer: LayerPlan, count: int) -> float:
        """About how long so many pictures of a layer take, from a few steps of the first ones."""
        ticks, began = Ticks(TRIED), time.perf_counter()
        once = Looked(replace(looked.plan, run=replace(looked.plan.run, restarts=0)))
        self._chunk(once, layer, layer.filters[:count], [ticks])
        taken, total = time.perf_counter() - began, self._plan.method_of(layer.name).schedule.total_steps
        return taken + ticks.seconds * max(total - len(ticks.times), 0)

    def _chunk(
        self, looked: Looked, layer: LayerPlan, filters: Sequence[int], callbacks: Sequence[PictureCallback]
    ) -> ChunkResult:
        backbone = looked.backbone(layer)
        try:
            chunk = Chunk(backbone, layer.name, list(filters), layer.together)
            return make_chunk(looked.plan.run, chunk, None, (), callbacks)
        except SIGTERMException as error:  # the training has been told, too: it ends, as it would without
            raise InterruptedError("ended by SIGTERM") from error
        finally:
            backbone.close()

    def _model(self, network: nn.Module, when: str) -> Model:
        model = from_module(snapshot(network), name=type(network).__name__, **self._given, copied=False)
        model.weights = when
        return model


def _shape_of_training(network: nn.Module, pictures: PictureShape | None) -> dict[str, Any]:
    """What the model is told of the training's pictures; nothing where the network does not take them as they are."""
    if pictures is None:
        return {}
    channels, height, width = pictures
    size = height if height == width else (height, width)
    return {"size": size, "in_channels": channels} if takes(snapshot(network).float(), channels, size) else {}


def _name_task(cfg: DictConfig) -> None:
    """Have the run folder say that it is no run of the command line."""
    OmegaConf.update(cfg, "task", {"name": "watch"}, merge=False)


def _on(device: torch.device) -> list[str]:
    """Have the pictures made where the network is, whatever else there is."""
    if device.type == "cpu":
        return ["trainer.accelerator=cpu", "trainer.devices=1"]
    return [f"trainer.accelerator={device.type}", f"trainer.devices=[{device.index or 0}]"]


class Ticks(PictureCallback):
    """Ends the making after a few steps, and notes when each of them ended."""

    def __init__(self, steps: int) -> None:
        self.steps = steps
        self.times: list[float] = []

    @property
    def seconds(self) -> float:
        """Of a step: the least of those measured, since the first ones compile and allocate."""
        return min((later - earlier for earlier, later in zip(self.times, self.times[1:], strict=False)), default=0.0)

    @override
    def on_step_end(self, trainer: Trainer, visualizer: FilterVisualizer, step: int) -> None:
        self.times.append(time.perf_counter())
        trainer.should_stop = step >= self.steps
