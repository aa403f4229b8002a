"""Which pictures a run makes, layer by layer; what cannot be made is refused before any work."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from omegaconf import DictConfig, ListConfig, OmegaConf

from featviz.config.build import build
from featviz.errors import FeatvizError
from featviz.models.backbone import Backbone
from featviz.models.layers import Trace
from featviz.models.model import Model
from featviz.models.speed.faster_copy import SpeedOptions
from featviz.models.tracing import trace
from featviz.objectives import Objective, units_of
from featviz.optim.method import Method
from featviz.optim.visualizer import FilterVisualizer
from featviz.results.folder import RunFolder
from featviz.runs.build import configured_callbacks

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LayerPlan:
    """All pictures of one layer; ``filters`` names each filter as often as it has variants."""

    name: str
    layers: tuple[str, ...]  # whose feature maps the objective is called with, this one among them
    filters: tuple[int, ...]
    variants: int


@dataclass(frozen=True)
class Plan:
    """What is to be made of a model by a method."""

    model: Model
    method: Method
    traced: Trace
    layers: tuple[LayerPlan, ...]
    faster: SpeedOptions

    def backbone(self, planned: LayerPlan, fast: bool = False) -> Backbone:
        """The part of the network that a layer's pictures need."""
        return Backbone(self.model, planned.layers, self.traced, self.faster if fast else None)


def make_plan(cfg: DictConfig, model: Model, method: Method) -> Plan:
    """The layers, each with all its pictures; FeatvizError for what does not exist or cannot be scored."""
    names = list(cfg.layer) if isinstance(cfg.layer, ListConfig) else [str(cfg.layer)]
    if not names:
        raise FeatvizError("layer is empty; expected a layer's name (task=layers lists them)")
    traced, layers = trace(model), []
    for name in dict.fromkeys(names):
        numbers = _numbers(cfg, model, method, name, traced)
        objective = method.objective(layer=name, filters=numbers[:1])
        _check_variants(cfg, objective)
        if method.evidence:
            method.evidence.check(objective)
        backbone = Backbone(model, list(dict.fromkeys([name, *objective.layers])), traced)
        _check_sizes(backbone, method, objective)
        filters = tuple(number for number in numbers for _ in range(cfg.variants))
        layers.append(LayerPlan(name, tuple(backbone.layers), filters, cfg.variants))
        backbone.close()
    if not traced.accepts_other_sizes:
        log.info("%s takes %d px only: pictures are resampled to it before the network", model.name, model.size)
    return Plan(model, method, traced, tuple(layers), SpeedOptions(cfg.fold, cfg.channels_last))


def check(cfg: DictConfig, folder: RunFolder | None, planned: Plan) -> None:
    """Build once what is built for every chunk, so that what cannot be built is refused before any work."""
    for layer in planned.layers:
        backbone = planned.backbone(layer)
        FilterVisualizer(backbone, planned.method, layer.name, layer.filters[:1], cfg.seed).configure_optimizers()
        backbone.close()
    configured_callbacks(cfg, folder, "")
    build(cfg.trainer, "trainer", logger=False, enable_checkpointing=False)


def _numbers(cfg: DictConfig, model: Model, method: Method, name: str, traced: Trace) -> Sequence[int]:
    """The numbers of a layer's pictures, as the objective counts them."""
    given = cfg.filters[name] if isinstance(cfg.filters, DictConfig) else cfg.filters  # for each layer its own
    spec: Any = OmegaConf.to_object(given) if isinstance(given, ListConfig) else given
    return units_of(method.objective, spec, traced.resolve(name), model, cfg.seed)


def _check_variants(cfg: DictConfig, objective: Objective) -> None:
    if cfg.variants > 1 and not objective.uses_variants:
        raise FeatvizError(
            f"variants is {cfg.variants}, but objective={cfg.objective.name} does not keep a filter's pictures apart; "
            "expected variants=1, or objective=diversity"
        )
    if cfg.variants == 1 and objective.uses_variants:
        log.warning("variants is 1: there is one picture of each filter, and none to keep it apart from")
    if cfg.batch_size != "auto" and cfg.variants > cfg.batch_size:
        raise FeatvizError(
            f"the {cfg.variants} variants of a filter are made at the same time, but batch_size is {cfg.batch_size}; "
            f"expected batch_size={cfg.variants} or more"
        )


def _check_sizes(backbone: Backbone, method: Method, objective: Objective) -> None:
    """Refuse pictures that are too small for the network, or for what the objective asks of its feature maps."""
    smallest = min(stage.size for stage in method.schedule.stages)
    changed = method.transforms.size(smallest)
    backbone.check_size(changed)
    with torch.inference_mode():
        side = min(smallest, changed)  # finished pictures are measured without transforms
        objective.check(backbone(torch.zeros(1, backbone.model.in_channels, side, side, device=backbone.mean.device)))
