"""The composed configuration: where it lies, and how its pieces are built."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import sha256
from inspect import Parameter, signature
from pathlib import Path
from typing import TYPE_CHECKING, Any

from featviz.config_checks import check_node
from featviz.config_errors import explain
from featviz.errors import FeatvizError, nearest, one_line

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from featviz.models.model import Model
    from featviz.visualizer import Method


LONGEST = 120  # bytes of a job's settings in its folder's name; file systems take 255, and numbers come before


def config_dir() -> Path:
    """The folder ``conf``: inside the package in an installed wheel, beside ``src`` in a checkout."""
    inside = Path(__file__).parent / "conf"
    return inside if inside.is_dir() else Path(__file__).resolve().parents[2] / "conf"


def register_resolvers() -> None:
    """Make known what our configurations compute.

    ``${models_at_hand:}`` is what a sweep over models takes, ``${grace_hopper:}`` a photo, and ``${folder_name:TEXT}``
    a text as a job's folder can be named.
    """
    from omegaconf import OmegaConf

    OmegaConf.register_new_resolver("models_at_hand", lambda: ",".join(models_at_hand()), replace=True)
    OmegaConf.register_new_resolver("grace_hopper", grace_hopper, replace=True)
    OmegaConf.register_new_resolver("folder_name", folder_name, replace=True)


def grace_hopper() -> str:
    """The portrait of Grace Hopper among matplotlib's sample data."""
    from importlib.util import find_spec

    spec = find_spec("matplotlib")
    assert spec is not None  # one of our own dependencies
    return str(Path(next(iter(spec.submodule_search_locations or ())), "mpl-data/sample_data/grace_hopper.jpg"))


def folder_name(text: str) -> str:
    """A text as the name of one folder: no separators, and where it is long, its start and a number that stays."""
    plain = text.replace("/", "_").replace("\\", "_")
    if len(plain.encode()) <= LONGEST:
        return plain
    return f"{plain.encode()[: LONGEST - 9].decode(errors='ignore')}~{sha256(text.encode()).hexdigest()[:8]}"


def models_at_hand() -> list[str]:
    """The models of ``conf/model`` whose pretrained weights are installed or have been downloaded."""
    from hydra.utils import get_method
    from omegaconf import OmegaConf

    found = []
    for file in sorted((config_dir() / "model").glob("*.yaml")):
        node = OmegaConf.load(file)
        if OmegaConf.is_missing(node, "name") or OmegaConf.is_missing(node, "target"):
            continue  # the open ones: any of a library's, one's own
        module = node._target_.rpartition(".")[0]
        if get_method(f"{module}.at_hand")(**({"name": node.name} if "name" in node else {})):
            found.append(file.stem)
    return found


def compose_default(overrides: Sequence[str] = ()) -> DictConfig:
    """The configuration of the command line with these overrides, also inside a program that uses Hydra itself."""
    from hydra import compose, initialize_config_dir
    from hydra.core.global_hydra import GlobalHydra

    register_resolvers()
    running = GlobalHydra.instance().hydra
    GlobalHydra.instance().clear()
    try:
        with initialize_config_dir(str(config_dir()), version_base="1.3"):
            return compose("config", list(overrides))
    finally:
        GlobalHydra.instance().hydra = running


def build(node: Any, what: str, **known_later: Any) -> Any:
    """Instantiate a piece of the configuration; FeatvizError, naming ``what``, where its settings do not fit it."""
    from hydra.errors import HydraException
    from hydra.utils import instantiate
    from omegaconf.errors import OmegaConfBaseException

    try:
        check_node(node, what, known_later)
        return instantiate(node, **known_later)
    except (HydraException, OmegaConfBaseException) as error:
        cause = error.__cause__
        if isinstance(cause, FeatvizError):
            raise cause from error
        raise FeatvizError(f"{what}: {one_line(cause) if cause else explain(error)}") from error


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


def in_sweep() -> bool:
    """Whether this is one job of a Hydra multirun."""
    from hydra.core.hydra_config import HydraConfig
    from hydra.types import RunMode

    return HydraConfig.initialized() and HydraConfig.get().mode == RunMode.MULTIRUN


def _load(node: DictConfig) -> Model:
    model: Model = build(node, "model")
    return model


def build_method(cfg: DictConfig) -> Method:
    """Build the pieces of the recipe, its steps scaled to ``cfg.budget`` where there is one."""
    from featviz.transforms import Transforms
    from featviz.visualizer import Method

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
        evidence=build(cfg.evidence, "evidence") or None,
    )


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
