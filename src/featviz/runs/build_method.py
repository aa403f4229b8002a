"""Builds the pieces of a recipe from the configuration."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from omegaconf import DictConfig, OmegaConf

from featviz.config.build import build
from featviz.config.pieces import nodes_of, without_labels
from featviz.errors import FeatvizError
from featviz.metrics import PictureMetrics
from featviz.optim.method import Method
from featviz.runs.judges import build_judges
from featviz.shapes import Size
from featviz.transforms import Transforms
from featviz.transforms.base import Transform


def build_method(cfg: DictConfig, size: Size) -> Method:
    """Build the pieces of the recipe for a network of ``size`` px, its steps scaled to ``cfg.budget`` if any."""
    _check_missing(cfg.image)
    transforms = Transforms(pieces_of(cfg, "transforms")).for_network(size)
    schedule = build(cfg.schedule, "schedule").for_network(size)
    return Method(
        image=build(cfg.image, "image"),
        schedule=schedule.within(cfg.budget * 1e6, transforms.pixels) if cfg.budget else schedule,
        optimizer=build(cfg.optimizer, "optimizer"),
        objective=_objective(cfg),
        transforms=transforms,
        regularizers=pieces_of(cfg, "regularizers"),
        gradients=pieces_of(cfg, "gradients"),
        projections=pieces_of(cfg, "projections"),
        lr_schedule=build(cfg.lr_schedule, "lr_schedule") or None,
        redirect_steps=cfg.redirect_steps,
        opacity=cfg.opacity,
        raw=cfg.raw,
        evidence=_metrics(cfg.evidence),
    )


def _metrics(node: DictConfig | None) -> PictureMetrics | None:
    """The metrics of finished pictures, with the networks that ``judges`` names."""
    specs = node.get("judges") if node else None
    if node is None or not specs:
        return build(node, "evidence") or None
    factory = build(OmegaConf.create({**node, "judges": [], "_partial_": True}), "evidence")
    metrics: PictureMetrics = factory(judges=build_judges(specs))
    return metrics


def _objective(cfg: DictConfig) -> Callable[..., Any]:
    """The objective, to be called with ``layer`` and ``filters``."""
    node = without_labels(cfg.objective)
    _check_missing(node)
    objective: Callable[..., Any] = build(node, "objective")
    return objective


def _check_missing(node: DictConfig) -> None:
    """Refuse what has to be given on the command line and is not: instantiate would leave it out."""
    for missing in sorted(OmegaConf.missing_keys(node)):
        raise FeatvizError(f"{missing} is missing: give it on the command line, {missing}=...", setting=missing)


def pieces_of(cfg: DictConfig, group: str) -> dict[str, Any]:
    """The pieces of a group that are not switched off by null."""
    pieces = {name: build(node, f"{group}.{name}") for name, node in nodes_of(cfg[group], group).items()}
    for name, piece in pieces.items():
        if not (isinstance(piece, Transform) if group == "transforms" else callable(piece)):
            setting, kind = f"{group}.{name}._target_", type(piece).__name__
            raise FeatvizError(f"{setting} gives a {kind}, which is no piece of {group}", setting=setting, got=kind)
    return pieces
