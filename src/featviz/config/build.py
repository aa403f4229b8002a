"""Builds the pieces of a composed configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from featviz.config.compose import in_sweep
from featviz.config.kinds import check_node
from featviz.config.messages import message_of
from featviz.config.quoting import literals
from featviz.errors import FeatvizError, one_line

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from featviz.models.model import Model


def build(node: Any, what: str, **known_later: Any) -> Any:
    """Instantiate a piece of the configuration; FeatvizError, naming ``what``, where its settings do not fit it."""
    from hydra.errors import HydraException
    from hydra.utils import instantiate
    from omegaconf.errors import OmegaConfBaseException

    try:
        check_node(node, what, known_later)
        texts = {name: _twice(value) if isinstance(value, str) else value for name, value in known_later.items()}
        return instantiate(_literal_node(node), **texts)
    except (HydraException, OmegaConfBaseException) as error:
        cause = error.__cause__
        if isinstance(cause, FeatvizError):
            raise cause.of_piece(what) from error
        raise FeatvizError(f"{what}: {one_line(cause) if cause else message_of(error)}") from error


def _literal_node(node: Any) -> Any:
    """A node whose texts may hold ``${``, such as files' names: ``instantiate`` resolves each interpolation twice."""
    from omegaconf import OmegaConf

    if not OmegaConf.is_config(node) or "${" not in str(plain := OmegaConf.to_container(node, resolve=True)):
        return node
    return OmegaConf.create(_twice(plain), flags={"allow_objects": True})


def _twice(value: Any) -> Any:
    return literals(literals(value))


def build_model(cfg: DictConfig) -> Model:
    """Load the network of ``cfg.model``; one job of a sweep takes that of the job before it, where it is the same."""
    if not in_sweep():
        return _load(cfg.model)
    from omegaconf import OmegaConf

    settings = OmegaConf.to_yaml(cfg.model, resolve=True)
    if settings not in _LOADED:
        _LOADED.clear()
        _LOADED[settings] = _load(cfg.model)
    return _LOADED[settings]


_LOADED: dict[str, Model] = {}  # at most one, by its settings


def forget_models() -> None:
    """Let go of the network that a sweep's jobs share."""
    _LOADED.clear()


def _load(node: DictConfig) -> Model:
    model: Model = build(node, "model")
    return model
