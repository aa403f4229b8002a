"""The composed configuration: where it lies, and how its pieces are built."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from featviz.errors import FeatvizError, one_line

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from featviz.models.model import Model
    from featviz.visualizer import Method


def config_dir() -> Path:
    """The folder ``conf``: inside the package in an installed wheel, beside ``src`` in a checkout."""
    inside = Path(__file__).parent / "conf"
    return inside if inside.is_dir() else Path(__file__).resolve().parents[2] / "conf"


def build(node: Any, what: str, **known_later: Any) -> Any:
    """Instantiate a piece of the configuration; FeatvizError, naming ``what``, where its settings do not fit it."""
    from hydra.errors import HydraException
    from hydra.utils import instantiate
    from omegaconf.errors import OmegaConfBaseException

    try:
        return instantiate(node, **known_later)
    except (HydraException, OmegaConfBaseException) as error:
        cause = error.__cause__
        if isinstance(cause, FeatvizError):
            raise cause from error
        raise FeatvizError(f"{what}: {one_line(cause or error)}") from error


def build_model(cfg: DictConfig) -> Model:
    """Load the network of ``cfg.model``."""
    model: Model = build(cfg.model, "model")
    return model


def build_method(cfg: DictConfig) -> Method:
    """Build the pieces of the recipe."""
    from featviz.transforms import Transforms
    from featviz.visualizer import Method

    return Method(
        image=build(cfg.image, "image"),
        schedule=build(cfg.schedule, "schedule"),
        optimizer=build(cfg.optimizer, "optimizer"),
        objective=build(cfg.objective, "objective"),
        transforms=Transforms(_pieces(cfg, "transforms")),
        regularizers=_pieces(cfg, "regularizers"),
        projections=_pieces(cfg, "projections"),
        redirect_steps=cfg.redirect_steps,
    )


def _pieces(cfg: DictConfig, group: str) -> dict[str, Any]:
    return {str(name): build(node, f"{group}.{name}") for name, node in (cfg[group] or {}).items()}
