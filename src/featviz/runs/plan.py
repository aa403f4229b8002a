"""Which pictures a run makes, layer by layer; what cannot be made is refused before any work."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import torch

from featviz.errors import FeatvizError
from featviz.filters import LOGITS
from featviz.models.backbone import Backbone
from featviz.models.gradient_check import check_gradient
from featviz.models.independence import find_dependence
from featviz.models.layers import Layer, Trace
from featviz.models.model import Model
from featviz.models.tracing import trace
from featviz.objectives import Objective, units_of
from featviz.optim.method import Method
from featviz.optim.schedule_checks import MOST_STEPS
from featviz.optim.visualizer import FilterVisualizer
from featviz.results.folder import RunFolder
from featviz.runs.run import Run
from featviz.shapes import Shape

log = logging.getLogger(__name__)

MOST_PICTURES = 10_000_000  # of a layer


@dataclass(frozen=True)
class LayerPlan:
    """All pictures of one layer; ``filters`` names each filter as often as it has variants."""

    name: str
    layers: tuple[str, ...]  # whose feature maps the objective is called with, this one among them
    filters: tuple[int, ...]
    variants: int
    all_together: bool = False
    linked: bool = False  # whether gradients lead from layer to layer

    @property
    def together(self) -> int:
        """How many pictures, one after the other, have to be made at the same time: they see each other."""
        return len(self.filters) if self.all_together else self.variants


@dataclass(frozen=True)
class Plan:
    """All pictures of a run, layer by layer."""

    run: Run
    traced: Trace
    layers: tuple[LayerPlan, ...]

    @property
    def model(self) -> Model:
        """Whose filters are visualized."""
        return self.run.model

    @property
    def method(self) -> Method:
        """How the pictures are made."""
        return self.run.method

    def method_of(self, layer: str) -> Method:
        """How the pictures of a layer are made: its schedule may be one for layers of its stride."""
        return self.method.for_layer(self.traced.resolve(layer), self.traced.size)

    def backbone(self, layer: LayerPlan, fast: bool = False) -> Backbone:
        """The part of the network that a layer's pictures need."""
        speed = self.run.speed if fast else None
        return Backbone(self.model, layer.layers, self.traced, speed, self.method.needs_moments, layer.linked)


def make_plan(run: Run) -> Plan:
    """The layers, each with all its pictures; FeatvizError for what does not exist or cannot be scored."""
    model, method = run.model, run.method
    if method.schedule.total_steps > MOST_STEPS:
        got = method.schedule.total_steps
        raise FeatvizError(
            f"the schedule has {got} steps", setting="schedule.steps", got=got, expected=f"at most {MOST_STEPS}"
        )
    traced, layers = trace(model), []
    for name in run.layers:
        _check_class_names(model, name, traced)
        _tell_calls(name, traced.resolve(name))
        numbers = units_of(method.objective, run.filters_of(name), traced.resolve(name), model, run.seed)
        objective = method.objective(layer=name, filters=numbers[:1])
        _check_variants(run, objective)
        _check_further_layers(run, objective, traced)
        backbone = Backbone(model, list(dict.fromkeys([name, *objective.layers])), traced)
        if method.evidence:
            method.evidence.check(objective, backbone, numbers)
        _check_sizes(backbone, method.for_layer(traced.resolve(name), traced.size), objective)
        if len(numbers) * run.variants > MOST_PICTURES:
            what = f"{name} would have {len(numbers)} filters in {run.variants} variants"
            raise FeatvizError(what, expected=f"at most {MOST_PICTURES} pictures of a layer")
        filters = tuple(number for number in numbers for _ in range(run.variants))
        kind = objective.uses_neighbors, objective.needs_links
        layers.append(LayerPlan(name, tuple(backbone.layers), filters, run.variants, *kind))
        _check_together(run, layers[-1])
        backbone.close()
    _tell_values(model)
    if not traced.accepts_other_sizes:
        log.info("%s takes %s px only: pictures are resampled to it before the network", model.name, model.shape)
    if traced.multiple > 1:
        log.info("%s takes multiples of %d px: other pictures are resampled to the next", model.name, traced.multiple)
    return Plan(run, traced, tuple(layers))


def check_plan(plan: Plan, folder: RunFolder | None) -> None:
    """Build once what is built for every chunk, so that what cannot be built is refused before any work."""
    for layer in plan.layers:
        backbone = plan.backbone(layer)
        FilterVisualizer(backbone, plan.method, layer.name, layer.filters[:1], plan.run.seed).configure_optimizers()
        backbone.close()
    plan.run.new_callbacks(folder.path / "checkpoints" if folder else None)
    if dependence := find_dependence(plan.model):
        log.warning("%s: %s; pictures of a filter will not be the same beside others", plan.model.name, dependence)


def _tell_values(model: Model) -> None:
    """Say what pictures the network takes, and where nothing has told how it normalizes them, how to say it."""
    log.info("%s takes %s of %s", model.name, "films" if model.shape.is_film else "pictures", model.describe_input())
    as_they_are = not model.normalizes and model.scale == 1
    if as_they_are and model.has_colors and model.weights != "random":
        log.info(
            "%s is given values from 0 to 1 as they are; where it was trained on normalized ones, say how: model.mean= "
            "and model.std=, or mean and std of featviz.Model",
            model.name,
        )


def _check_class_names(model: Model, layer: str, traced: Trace) -> None:
    if layer != LOGITS or not model.classes:
        return
    logits = traced.resolve(layer)
    if logits.channels != len(model.classes):
        raise FeatvizError(
            f"model.classes has {len(model.classes)} names, but {layer} ({logits.name}) has {logits.channels} classes",
            setting="model.classes",
            got=len(model.classes),
        )


def _check_further_layers(run: Run, objective: Objective, traced: Trace) -> None:
    """Tell the layers that the objective looks at besides the run's own from what was typed as layer."""
    for name in objective.layers:
        try:
            traced.resolve(name)
        except FeatvizError as error:
            if name in run.layers:
                raise
            what = f"objective={run.objective} looks at another layer, too: {error}"
            raise FeatvizError(what, setting="objective", got=name) from error


def _tell_calls(asked: str, layer: Layer) -> None:
    if layer.calls > 1 and ":" not in layer.name:
        log.info("%s is called %d times: its last call is shown; layer=%s:1 is the first", asked, layer.calls, asked)


def _check_variants(run: Run, objective: Objective) -> None:
    if run.variants > 1 and not objective.uses_variants:
        raise FeatvizError(
            f"variants is {run.variants}, but objective={run.objective} does not keep a filter's pictures apart",
            setting="variants",
            got=run.variants,
            expected="variants=1, or objective=diversity",
        )
    if (count := objective.pictures_per_filter) is not None and count != run.variants:
        what = f"variants is {run.variants}, but objective={run.objective} makes {count} pictures of each filter"
        raise FeatvizError(what, setting="variants", got=run.variants, expected=f"variants={count}")
    if run.variants == 1 and objective.uses_variants:
        log.warning("variants is 1: there is one picture of each filter, and none to keep it apart from")
    if run.batch_size is not None and run.variants > run.batch_size:
        raise FeatvizError(
            f"the {run.variants} variants of a filter are made at the same time, but batch_size is {run.batch_size}",
            setting="batch_size",
            got=run.batch_size,
            expected=f"batch_size={run.variants} or more",
        )


def _check_together(run: Run, layer: LayerPlan) -> None:
    if layer.all_together and run.batch_size is not None and layer.together > run.batch_size:
        raise FeatvizError(
            f"the {layer.together} pictures of objective={run.objective} see each other and are made at the same time, "
            f"but batch_size is {run.batch_size}",
            setting="batch_size",
            got=run.batch_size,
            expected=f"batch_size={layer.together} or more",
        )


def _check_sizes(backbone: Backbone, method: Method, objective: Objective) -> None:
    """Refuse pictures that are too small for the network, or for what the objective asks of its feature maps."""
    smallest = min((Shape.of(stage.size) for stage in method.schedule.stages), key=lambda shape: shape.values)
    backbone.check_axes(smallest)
    changed = Shape.of(method.transforms.size(smallest.size))
    least = min(smallest, changed, key=lambda shape: shape.values)  # finished pictures are measured without transforms
    for shape in dict.fromkeys((changed, least)):
        backbone.check_size(shape.size)
    check_gradient(backbone, changed)
    with torch.no_grad():
        objective.check(backbone(backbone.model.noise(least).to(backbone.mean.device)))
