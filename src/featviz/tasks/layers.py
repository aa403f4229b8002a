"""The task that lists a model's layers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

from omegaconf import DictConfig, OmegaConf
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from featviz.config.build import build_model
from featviz.errors import printable
from featviz.models.layers import Trace
from featviz.models.model import Model
from featviz.models.tracing import trace


def run(cfg: DictConfig) -> None:
    """Print the table of layers, one row a module."""
    model = _without_weights(cfg)
    traced = trace(model)
    table = Table(
        "layer", "type", "output", "filters", "stride", "stage", "calls", title=escape(printable(_title(model, traced)))
    )
    for row in layer_rows(traced):
        table.add_row(*("" if value is None else escape(printable(str(value))) for value in row.values()))
    console = Console()
    # A table cut to the width of a pipe would lose names that people grep for.
    console = console if console.is_terminal else Console(width=200)
    console.print(table)


def _without_weights(cfg: DictConfig) -> Model:
    """The model with random weights, on which its layers do not depend; its own, where it or its members bring them."""
    told = cfg.model.get("weights")
    if told in ("given", "random") or "weights" not in cfg.model:
        return build_model(cfg)
    built = build_model(cast("DictConfig", OmegaConf.merge(cfg, {"model": {"weights": "random"}})))
    return replace(built, weights=told or "given", copied=False)


def layer_rows(traced: Trace) -> list[dict[str, Any]]:
    """One dict a module, in the order of the forward pass; modules that are never called come last."""
    stage_of = {name: stage for stage, name in traced.stages.items()}
    return [
        {
            "layer": layer.name,
            "type": layer.type,
            "output": list(layer.shape) if layer.shape else layer.returned,
            "filters": layer.channels,
            "stride": layer.stride(traced.size),
            "stage": stage_of.get(layer.name),
            "calls": layer.calls,
        }
        for layer in traced.layers.values()
    ]


def _title(model: Model, traced: Trace) -> str:
    sizes = "" if traced.accepts_other_sizes else " only"
    return f"{model.label}: {model.in_channels} x {model.shape.each()} px{sizes}"
