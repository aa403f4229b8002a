"""Builds what a run needs from its configuration."""

from __future__ import annotations

from collections.abc import Callable
from inspect import Parameter, signature
from typing import TYPE_CHECKING, Any

from featviz.errors import FeatvizError, nearest

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from featviz.optim.method import Method


from lightning import Callback
from lightning.pytorch.loggers import Logger
from omegaconf import DictConfig, OmegaConf

from featviz.config.build import build, build_model
from featviz.config.compose import compose_default
from featviz.config.messages import readable_errors
from featviz.metrics import PictureMetrics
from featviz.optim.method import Method
from featviz.results.folder import RunFolder
from featviz.results.loggers import log_config
from featviz.runs.resume import checkpoint_path


def build_method(cfg: DictConfig) -> Method:
    """Build the pieces of the recipe, its steps scaled to ``cfg.budget`` where there is one."""
    from featviz.optim.method import Method
    from featviz.transforms import Transforms

    _check_missing(cfg.image)
    transforms, schedule = Transforms(_pieces(cfg, "transforms")), build(cfg.schedule, "schedule")
    return Method(
        image=build(cfg.image, "image"),
        schedule=schedule.within(cfg.budget * 1e6, transforms.pixels) if cfg.budget else schedule,
        optimizer=build(cfg.optimizer, "optimizer"),
        objective=_objective(cfg),
        transforms=transforms,
        regularizers=_pieces(cfg, "regularizers"),
        gradients=_pieces(cfg, "gradients"),
        projections=_pieces(cfg, "projections"),
        lr_schedule=build(cfg.lr_schedule, "lr_schedule") or None,
        redirect_steps=cfg.redirect_steps,
        opacity=cfg.opacity,
        evidence=_metrics(cfg.evidence),
    )


def _metrics(node: DictConfig | None) -> PictureMetrics | None:
    """The metrics of finished pictures, with the network that ``transfer_model`` names."""
    name = node.get("transfer_model") if node else None
    if node is None or not name:
        return build(node, "evidence") or None
    with readable_errors():
        other = compose_default([f"model={name}"])
    factory = build(OmegaConf.create({**node, "transfer_model": None, "_partial_": True}), "evidence")
    metrics: PictureMetrics = factory(transfer_model=build_model(other))
    return metrics


def _objective(cfg: DictConfig) -> Callable[..., Any]:
    """The objective, to be called with ``layer`` and ``filters``."""
    from omegaconf import OmegaConf

    node = cfg.objective.copy()
    OmegaConf.set_struct(node, False)
    _drop_unsaid(node)
    _check_missing(node)
    factory: Callable[..., Any] = build(node, "objective")
    _check_names(factory)
    return factory


def _check_missing(node: DictConfig) -> None:
    """Refuse what has to be given on the command line and is not: instantiate would leave it out."""
    from omegaconf import OmegaConf

    for missing in sorted(OmegaConf.missing_keys(node)):
        raise FeatvizError(f"{missing} is missing: give it on the command line, {missing}=...")


def _drop_unsaid(node: DictConfig) -> None:
    """Drop the names of an objective and of those inside it, which are for tables, and what is the run's anyway."""
    from omegaconf import DictConfig, OmegaConf

    if "_target_" in node:
        node.pop("name", None)
        for key in ("layer", "filters"):
            if key in node and node[key] is None:
                del node[key]
    for name in node:
        if not OmegaConf.is_missing(node, name) and isinstance(node[name], DictConfig):
            _drop_unsaid(node[name])


def _check_names(factory: Callable[..., Any]) -> None:
    """Refuse settings that the objective behind a partial does not have."""
    takes = signature(getattr(factory, "func", factory)).parameters
    if any(parameter.kind is Parameter.VAR_KEYWORD for parameter in takes.values()):
        return
    for name in getattr(factory, "keywords", {}):
        if name not in takes:
            own = [other for other in takes if other not in ("layer", "filters")]
            raise FeatvizError(f"unknown setting 'objective.{name}'; {nearest(name, own)}")


def _pieces(cfg: DictConfig, group: str) -> dict[str, Any]:
    return {str(name): build(node, f"{group}.{name}") for name, node in (cfg[group] or {}).items()}


def configured_callbacks(cfg: DictConfig, folder: RunFolder | None, chunk: str) -> list[Callback]:
    """The configured callbacks; those with a ``dirpath`` write below the run's folder, and are left out without one."""
    callbacks = []
    for name, node in (cfg.callbacks or {}).items():
        if "dirpath" not in node:
            callbacks.append(build(node, f"callbacks.{name}"))
        elif folder:
            callbacks.append(build(node, f"callbacks.{name}", dirpath=str(checkpoint_path(folder, chunk).parent)))
    return callbacks


def start_loggers(cfg: DictConfig, folder: RunFolder, text: str) -> list[Logger]:
    """Build the configured loggers, and send them the configuration, which is ``text``."""
    loggers = [build(node, f"logger.{name}", save_dir=str(folder.path)) for name, node in (cfg.logger or {}).items()]
    for logger in loggers:
        log_config(logger, text)
    return loggers
