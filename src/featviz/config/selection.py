"""Layers, filters and photos of a configuration as plain values; what cannot be is told before torch is imported."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from featviz.errors import FeatvizError
from featviz.filters import FORMS, LOGITS, FilterSpec, check_form
from featviz.reading import check_photo_exists

if TYPE_CHECKING:
    from omegaconf import DictConfig

OF_CLASSES = ("featviz.objectives.Logit", "featviz.objectives.Statistics")  # whose filters may be names of classes
#: Settings that name files and folders of photos.
PHOTOS = ("data", "photo", "reference", "image.path", "objective.photo")


def check_photos_exist(cfg: DictConfig) -> None:
    """Raise FeatvizError for photos that are not there; what they hold is seen when they are read."""
    from omegaconf import ListConfig, OmegaConf

    terms = OmegaConf.select(cfg, "objective.terms", default=None) or {}
    for name in (*PHOTOS, *(f"objective.terms.{term}.photo" for term in terms)):
        given = OmegaConf.select(cfg, name, default=None)
        for path in given if isinstance(given, ListConfig) else [given]:
            if isinstance(path, str) and path:
                check_photo_exists(Path(path).expanduser())


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
