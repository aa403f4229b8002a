"""Layers, filters and photos of a configuration as plain values; what cannot be is told before torch is imported."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from glob import has_magic
from typing import TYPE_CHECKING, Any

from featviz.config.compose import group_options
from featviz.config.model_settings import FILES
from featviz.errors import FeatvizError
from featviz.filters import FORMS, LOGITS, FilterSpec, check_form
from featviz.reading import CONCEPTS, check_exemplars, check_input, check_photo_exists, expanded

if TYPE_CHECKING:
    from omegaconf import DictConfig

KEYWORDS = ("pretrained", "random", "given")  # instead of a checkpoint to compare
NETWORKS = "two or more checkpoints, or names of models"
OF_CLASSES = ("featviz.objectives.Logit", "featviz.objectives.Statistics")  # whose filters may be names of classes
#: Settings that name files and folders of photos.
PHOTOS = ("data", "photo", "reference", "image.path")
#: Settings that are paths, and may not be null.
NEEDED = {"data": "a file, a folder, or a list of them", "runs": "folders of runs or sweeps, runs=FOLDER"}
PHOTOS_OF_OBJECTIVES = ("photo", "photos", "photos_from")


def check_inputs_exist(cfg: DictConfig) -> None:
    """Raise FeatvizError for photos, networks and runs that are not there; what they hold is seen when they are read.

    The files of pieces are looked at by the pieces themselves.
    """
    from omegaconf import OmegaConf

    for name, expected in NEEDED.items():
        if name in cfg and not OmegaConf.is_missing(cfg, name):
            given = list(cfg[name]) if OmegaConf.is_list(cfg[name]) else [cfg[name]]
            if not given or _texts(cfg[name]) != given:
                raise FeatvizError(setting=name, got=cfg[name], expected=expected)
    for name in PHOTOS:
        for path in _texts(OmegaConf.select(cfg, name, default=None)):
            check_photo_exists(expanded(path))
    for path in _photos_of(cfg.objective):
        check_photo_exists(expanded(path))
    if isinstance(folder := cfg.get("exemplars"), str):
        check_exemplars("exemplars", expanded(folder))
    check_networks(cfg.get("models"))
    check_runs_exist(cfg.get("runs"))
    for name in layer_names(cfg):
        file = name.partition("@")[2]
        if file.lower().endswith(CONCEPTS):
            check_input("layer", expanded(file), CONCEPTS)


def check_networks(models: Any) -> None:
    """Raise FeatvizError for networks to compare of which there are too few, or one that is not there."""
    specs = _texts(models)
    if models is not None and len(specs) < 2:
        raise FeatvizError(setting="models", got=specs, expected=NETWORKS)
    for spec in specs:
        check_network(spec)


def check_network(spec: str) -> None:
    """Raise FeatvizError for what is neither a checkpoint that is there nor the name of a model."""
    known, path = group_options("model"), expanded(spec)
    if spec.lower().endswith(FILES):
        check_input("models", path, FILES)
    elif spec not in known and spec not in KEYWORDS and not path.is_file():
        hint = "a checkpoint ends in .ckpt, .pt, .pth or .safetensors"
        raise FeatvizError(f"unknown model '{spec}'", setting="models", got=spec, known=known, hint=hint)


def check_runs_exist(runs: Any) -> None:
    """Raise FeatvizError for a folder that is not there; a pattern is looked up later."""
    for text in _texts(runs):
        path = expanded(text)
        if not path.exists() and not has_magic(text):
            beside = [other.name for other in path.parent.glob("*") if other.is_dir()]
            what = f"runs: there is no folder '{text}'"
            raise FeatvizError(what, setting="runs", got=path.name, known=beside or None)


def _photos_of(objective: Any) -> Iterator[str]:
    """The photos that an objective, or one inside it, names."""
    from omegaconf import DictConfig, OmegaConf

    if isinstance(objective, DictConfig) and not objective._is_none():
        for name in objective:
            if not OmegaConf.is_missing(objective, name):
                given = objective[name]
                yield from _texts(given) if name in PHOTOS_OF_OBJECTIVES else _photos_of(given)


def _texts(given: Any) -> list[str]:
    """A text that is not empty, or those of a list."""
    from omegaconf import ListConfig

    return [text for text in (given if isinstance(given, ListConfig) else [given]) if isinstance(text, str) and text]


def layer_names(cfg: DictConfig) -> tuple[str, ...]:
    """The layers of the setting ``layer``, each once."""
    from omegaconf import ListConfig, OmegaConf

    names = list(cfg.layer) if isinstance(cfg.layer, ListConfig) else [cfg.layer]
    for name in names:
        if not isinstance(name, str | int | float) or name == "":
            got = None if name is None else OmegaConf.to_object(cfg.layer) if OmegaConf.is_config(name) else name
            raise FeatvizError(setting="layer", got=got, expected="a layer's name, or a list of them")
    if not names:
        raise FeatvizError(
            "layer is empty; expected a layer's name (task=layers lists them)", setting="layer", got=names
        )
    return tuple(dict.fromkeys(map(str, names)))


def filter_specs(cfg: DictConfig) -> FilterSpec | Mapping[str, FilterSpec]:
    """Plain numbers and words, for all layers or by layer."""
    from omegaconf import OmegaConf

    filters: Any = OmegaConf.to_object(cfg.filters) if OmegaConf.is_config(cfg.filters) else cfg.filters
    if isinstance(filters, dict) and (numbers := [name for name in filters if isinstance(name, float)]):
        what = f"filters: the layer {numbers[0]} was read as a number"
        expected = "such filters by layer from Python, or in a file of --config-dir with quotes, '1.10': 0-3"
        raise FeatvizError(what, setting="filters", got=numbers[0], expected=expected)
    for spec in filters.values() if isinstance(filters, dict) else [filters]:
        for one in spec if isinstance(spec, list) else [spec]:
            if isinstance(one, bool) or not isinstance(one, int | str):
                raise FeatvizError(setting="filters", got=one, expected=FORMS)
    plain: FilterSpec | Mapping[str, FilterSpec] = filters
    return plain


def check_filters(cfg: DictConfig) -> None:
    """Raise FeatvizError for filters that no layer can have; whether a layer has them is seen with the network."""
    from omegaconf import OmegaConf

    specs, layers = filter_specs(cfg), layer_names(cfg)
    objective = str(OmegaConf.select(cfg, "objective._target_"))
    if objective in OF_CLASSES or not objective.startswith("featviz."):
        return
    for layer, spec in specs.items() if isinstance(specs, Mapping) else [("", specs)]:
        if LOGITS not in (layer or layers):
            check_form(spec)
