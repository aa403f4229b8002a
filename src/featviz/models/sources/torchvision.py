"""torchvision's networks for classes, segments, detection and films, with the preprocessing that their weights name."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import torchvision
from torch import nn
from torchvision.models import WeightsEnum
from torchvision.transforms._presets import VideoClassification

from featviz.errors import FeatvizError, one_line
from featviz.models.model import Model, seeded
from featviz.models.preprocessing import DEFAULT_SIZE, Preprocessing, preprocessing_of
from featviz.models.sources.checkpoint import load_into, load_state, renamed
from featviz.models.sources.download import cached, fetch_state_dict
from featviz.models.sources.told import (
    Values,
    check_classes,
    check_origin,
    check_typed_size,
    class_names,
    per_channel,
    weights_name,
)
from featviz.shapes import Size

_DENSE = (torchvision.models.segmentation, torchvision.models.detection)
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
    mean: Values | None = None,
    std: Values | None = None,
    size: Size | None = None,
    classes: str | Sequence[str] | None = None,
    channel_order: str = "rgb",
    scale: float = 1.0,
) -> Model:
    """Load one of torchvision's networks for classification, segmentation or detection, of pictures or films.

    Args:
        name: as torchvision spells it: ``resnet18``, ``vit_b_16``, ``deeplabv3_resnet50``.
        weights: ``pretrained`` (torchvision's default weights), ``random``, or the path of a checkpoint.
        url: an address that takes the place of torchvision's own, up to and with the file name.
        stages: module names for ``layer1`` to ``layer4``; without them they are read off the network.
        seed: of random weights.
        kwargs: arguments of torchvision's function, such as ``{"num_classes": 10}``.
        weights_key: of the state dict, or the prefix of its names, where the checkpoint holds several: ``teacher``.
        mean: of the pictures it was trained on, for values up to ``scale``; without it, what its weights name.
        std: likewise.
        size: of its pictures in px, 224, (36, 64) or (16, 112, 112); without it, what its weights name.
        classes: the names of its outputs, a list or a file with one in each line; without it, ImageNet's.
        channel_order: of the pictures it was trained on: ``rgb`` or ``bgr``; mean and std are in this order.
        scale: their largest value: 1, or 255; mean and std are for values up to it.

    Raises:
        FeatvizError: there is no such network, or its weights cannot be had or do not fit.
    """
    check_origin(weights, weights_key, url)
    check_classes(classes)
    check_typed_size(size)
    network = _build(name, dict(kwargs or {}), seed)
    default = torchvision.models.get_model_weights(name.lower()).DEFAULT
    if weights == "pretrained":
        load_state(network, _modern(fetch_state_dict(url or default.url)), url or default.url)
    elif weights != "random":
        load_into(network, weights, weights_key, _modern)
    default_names = () if "num_classes" in (kwargs or {}) else default.meta["categories"]
    preset = _preprocessing(network, default).for_pixels(channel_order, scale)
    side = size or preset.size or DEFAULT_SIZE
    values = (per_channel("mean", mean, preset.mean), per_channel("std", std, preset.std), side)
    told = (weights_name(weights, weights_key), dict(stages or {}), class_names(classes, default_names))
    return Model(name.lower(), network, *values, *told, 0, channel_order, scale, copied=False)


def _preprocessing(network: nn.Module, weights: WeightsEnum) -> Preprocessing:
    """What the weights name; detectors normalize their pictures themselves."""
    preset = weights.transforms()
    if hasattr(network, "transform_input"):
        # googlenet, inception_v3: torchvision's mean and std go with its transform_input, which is off here
        return Preprocessing((0.5,), (0.5,), preset.crop_size[0])
    if not hasattr(preset, "mean") or isinstance(preset, VideoClassification):
        return preprocessing_of(network, 3)
    side = getattr(preset, "crop_size", None) or preset.resize_size
    return Preprocessing(tuple(preset.mean), tuple(preset.std), side[0])


def at_hand(name: str, url: str | None = None) -> bool:
    """Whether the pretrained weights have been downloaded already."""
    return cached(url or torchvision.models.get_model_weights(name.lower()).DEFAULT.url).exists()


def _build(name: str, kwargs: dict[str, Any], seed: int) -> nn.Module:
    dense = {name for module in _DENSE for name in torchvision.models.list_models(module=module)}
    films = torchvision.models.list_models(module=torchvision.models.video)
    known = [*torchvision.models.list_models(module=torchvision.models), *films, *sorted(dense)]
    if name.lower() not in known:
        what = f"torchvision has no network '{name}' for pictures or films"
        raise FeatvizError(what, setting="model.name", got=name, known=known)
    if name.lower() in dense:
        kwargs = {"weights_backbone": None, **kwargs}
    try:
        with seeded(seed), warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # of two networks' initialization
            network: nn.Module = torchvision.models.get_model(name, weights=None, **kwargs)
    except (TypeError, ValueError) as error:
        raise FeatvizError(
            f"model {name} cannot be built with {kwargs}: {one_line(error)}", setting="model.kwargs", got=kwargs
        ) from error
    for head in _AUXILIARY:
        if hasattr(network, head):
            setattr(network, head, None)
    return network


def _modern(state: Mapping[str, Any]) -> Mapping[str, Any]:
    """Today's names for a state dict's tensors, without those of the auxiliary heads."""
    names = [name for name in state if not set(_AUXILIARY) & set(name.split("."))]
    return renamed(state, {name: _OLD_DENSENET.sub(r"\1\2", name) for name in names})
