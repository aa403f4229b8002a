"""The networks of task=compare: checkpoints of the configured model, models by name, or what a caller hands over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from omegaconf import DictConfig, OmegaConf

from featviz.config.build import build, build_model
from featviz.config.judges import judge_nodes
from featviz.config.model_settings import FILES
from featviz.config.quoting import literal
from featviz.config.selection import KEYWORDS, NETWORKS, check_network, check_networks
from featviz.errors import FeatvizError
from featviz.models.backbone import Backbone
from featviz.models.layers import OF_FILE, Layer, Trace
from featviz.models.model import Model
from featviz.models.tracing import trace
from featviz.reading import expanded
from featviz.results.files import file_name

MOST_LAYERS = 48  # whose likeness is measured, of each network


@dataclass(frozen=True)
class Compared:
    """One of the networks: ``label`` tells it from the others, ``asked`` are its compared layers as asked for."""

    label: str
    model: Model
    traced: Trace
    asked: tuple[str, ...]

    @classmethod
    def of(cls, label: str, model: Model, asked: Sequence[str]) -> Compared:
        """Trace a network; FeatvizError where it does not have one of the layers."""
        traced = trace(model)
        for name in asked:
            traced.resolve(name)
        return cls(label, model, traced, tuple(asked))

    def layer(self, asked: str) -> Layer:
        """What a name that was asked for stands for."""
        return self.traced.resolve(asked)

    def key(self, asked: str) -> str:
        """By what a compared layer's feature maps are found: its module, or, of concepts, the name with the file."""
        return asked if OF_FILE in self.layer(asked).name else self.layer(asked).name

    @property
    def all_layers(self) -> list[str]:
        """The layers whose likeness is measured: modules with weights and nothing inside, and those asked for.

        They come in the order of the forward pass; of many, evenly spaced ones.
        """
        layers, finished = self.traced.layers, self.traced.finished
        outer = {name.rpartition(".")[0] for name in layers}
        inner = [
            name
            for name, at in layers.items()
            if at.has_weights and at.layout and at.calls == 1 and not at.key and name not in outer
        ]
        kinds = [name for name in inner if "Norm" not in layers[name].type]
        spaced = [kinds[at * len(kinds) // MOST_LAYERS] for at in range(MOST_LAYERS)]
        chosen = dict.fromkeys([*(spaced if len(kinds) > MOST_LAYERS else kinds), *map(self.key, self.asked)])
        return sorted(chosen, key=lambda name: finished.get(self.layer(name).name, 0))

    def backbone(self, layers: Sequence[str]) -> Backbone:
        """The network up to some layers; it has to be closed."""
        return Backbone(self.model, list(dict.fromkeys(layers)), self.traced)


def configured_networks(cfg: DictConfig, asked: Sequence[str]) -> list[Compared]:
    """Those of ``cfg.models``: files are checkpoints of ``cfg.model``, names are models.

    Raises:
        FeatvizError: there are fewer than two, or one of them cannot be loaded, or does not have the layers.
    """
    check_networks(cfg.models)
    specs = [str(spec) for spec in cfg.models]
    return named_networks(
        {label: load_network(cfg, spec) for label, spec in zip(_labels(specs), specs, strict=True)}, cfg, asked
    )


def named_networks(models: Mapping[str, Model], cfg: DictConfig, asked: Sequence[str]) -> list[Compared]:
    """The first with the layers asked for, the others with ``cfg.compare.other_layer``, if that is given."""
    if len(models) < 2:
        raise FeatvizError(setting="models", got=list(models), expected=NETWORKS)
    others = [cfg.compare.other_layer] * len(asked) if cfg.compare.other_layer else asked
    if len(set(others)) < len(asked):
        what = f"compare.other_layer is {others[0]}, but there are {len(asked)} layers"
        raise FeatvizError(what, setting="compare.other_layer", got=others[0], expected="a single layer=")
    return [Compared.of(label, model, others if at else asked) for at, (label, model) in enumerate(models.items())]


def load_network(cfg: DictConfig, spec: str) -> Model:
    """The network of a checkpoint of ``cfg.model``, or the model of a name.

    Raises:
        FeatvizError: there is none, or the checkpoint does not fit.
    """
    if _is_file(spec) or spec in KEYWORDS:
        other = cast(DictConfig, OmegaConf.merge(cfg, {"model": {"weights": literal(spec)}}))
        try:
            return build_model(other)
        except FeatvizError as error:
            raise FeatvizError(f"models: {spec}: {error}", setting="models", got=spec) from error
    check_network(spec)
    (node,) = judge_nodes([spec])
    model: Model = build(node, "model")
    return model


def _is_file(spec: str) -> bool:
    return expanded(spec).is_file() or spec.lower().endswith(FILES)


def _labels(specs: Sequence[str]) -> list[str]:
    """A name for each network's folder: that of its checkpoint's file, with its place where two are alike."""
    names = [file_name(Path(spec).stem if _is_file(spec) else spec) for spec in specs]
    return [f"{name}_{at}" if names.count(name) > 1 else name for at, name in enumerate(names)]


def labels_of(models: Sequence[Any]) -> list[str]:
    """Labels of networks that are handed over, or named."""
    named = (str, Path)
    return _labels([str(one) if isinstance(one, named) else getattr(one, "name", type(one).__name__) for one in models])
