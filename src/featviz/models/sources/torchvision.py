"""torchvision's classification networks, with the preprocessing that their weights name."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from typing import Any

import torchvision
from torch import nn

from featviz.errors import FeatvizError, one_line
from featviz.models.model import Model, seeded
from featviz.models.sources.checkpoint import load_into, load_state, renamed
from featviz.models.sources.download import cached, fetch_state_dict

_AUXILIARY = ("aux1", "aux2", "AuxLogits")  # heads that googlenet and inception_v3 have for training only
_OLD_DENSENET = re.compile(r"(denselayer\d+\.(?:norm|conv))\.([12]\.)")  # torchvision's own files still say norm.1


def load(
    name: str,
    weights: str = "pretrained",
    url: str | None = None,
    stages: Mapping[str, str] | None = None,
    seed: int = 0,
    kwargs: Mapping[str, Any] | None = None,
    weights_key: str | None = None,
) -> Model:
    """Load one of torchvision's classification networks.

    Args:
        name: as torchvision spells it: ``resnet18``, ``vit_b_16``.
        weights: ``pretrained`` (torchvision's default weights), ``random``, or the path of a checkpoint.
        url: an address that takes the place of torchvision's own, up to and with the file name.
        stages: module names for ``layer1`` to ``layer4``; without them they are read off the network.
        seed: of random weights.
        kwargs: arguments of torchvision's function, such as ``{"num_classes": 10}``.
        weights_key: of the state dict, or the prefix of its names, where the checkpoint holds several: ``teacher``.

    Raises:
        FeatvizError: there is no such network, or its weights cannot be had or do not fit.
    """
    network = _build(name, dict(kwargs or {}), seed)
    default = torchvision.models.get_model_weights(name.lower()).DEFAULT
    if weights == "pretrained":
        load_state(network, _modern(fetch_state_dict(url or default.url)), url or default.url)
    elif weights != "random":
        load_into(network, weights, weights_key, _modern)
    preset = default.transforms()
    # googlenet, inception_v3: torchvision's mean and std go with its transform_input, which is off here
    own_range = hasattr(network, "transform_input")
    return Model(
        name=name.lower(),
        network=network,
        copied=False,
        mean=(0.5,) if own_range else tuple(preset.mean),
        std=(0.5,) if own_range else tuple(preset.std),
        size=preset.crop_size[0],
        weights=weights,
        stages=dict(stages or {}),
        classes=() if "num_classes" in (kwargs or {}) else tuple(default.meta["categories"]),
    )


def at_hand(name: str, url: str | None = None) -> bool:
    """Whether the pretrained weights have been downloaded already."""
    return cached(url or torchvision.models.get_model_weights(name.lower()).DEFAULT.url).exists()


def _build(name: str, kwargs: dict[str, Any], seed: int) -> nn.Module:
    known = torchvision.models.list_models(module=torchvision.models)
    if name.lower() not in known:
        raise FeatvizError(f"torchvision has no classification network '{name}'", got=name, known=known)
    try:
        with seeded(seed), warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # of two networks' initialization
            network: nn.Module = torchvision.models.get_model(name, weights=None, **kwargs)
    except (TypeError, ValueError) as error:
        raise FeatvizError(f"model {name} cannot be built with {kwargs}: {one_line(error)}") from error
    for head in _AUXILIARY:
        if hasattr(network, head):
            setattr(network, head, None)
    return network


def _modern(state: Mapping[str, Any]) -> Mapping[str, Any]:
    """Today's names for a state dict's tensors, without those of the auxiliary heads."""
    names = [name for name in state if not set(_AUXILIARY) & set(name.split("."))]
    return renamed(state, {name: _OLD_DENSENET.sub(r"\1\2", name) for name in names})
