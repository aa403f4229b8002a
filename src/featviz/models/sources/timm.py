"""timm's networks, with the preprocessing and the strides that timm names."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from torch import nn

from featviz.errors import FeatvizError, one_line
from featviz.models.input_channels import find_in_channels
from featviz.models.model import Model, seeded, set_eval
from featviz.models.preprocessing import DEFAULT_SIZE, preprocessing_of
from featviz.models.sources.checkpoint import load_into
from featviz.models.sources.download import fetch_state_dict
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

_ELSEWHERE = ("hf-hub:", "hf_hub:", "local-dir:")  # names that timm looks up outside its own list


def load(
    name: str,
    weights: str = "pretrained",
    url: str | None = None,
    stages: Mapping[str, str] | None = None,
    kwargs: Mapping[str, Any] | None = None,
    seed: int = 0,
    weights_key: str | None = None,
    mean: Values | None = None,
    std: Values | None = None,
    size: Size | None = None,
    classes: str | Sequence[str] | None = None,
    channel_order: str = "rgb",
    scale: float = 1.0,
) -> Model:
    """Load any network of timm.

    Args:
        name: as timm spells it, with or without the weights' tag: ``resnet18``, ``resnet18.a1_in1k``.
        weights: ``pretrained`` (from the Hugging Face hub), ``random``, or the path of a checkpoint.
        url: an address of the weights that takes the hub's place.
        stages: module names for ``layer1`` to ``layer4``; without them they are read off the network.
        kwargs: arguments of ``timm.create_model``, such as ``{"in_chans": 1}``.
        seed: of random weights.
        weights_key: of the state dict, or the prefix of its names, where the checkpoint holds several: ``teacher``.
        mean: of the pictures it was trained on, for values up to ``scale``; without it, what timm says.
        std: likewise.
        size: of its pictures in px, 224 or (36, 64); without it, what timm says.
        classes: the names of its outputs: a list, or a file with one in each line.
        channel_order: of the pictures it was trained on: ``rgb`` or ``bgr``; mean and std are in this order.
        scale: their largest value: 1, or 255; mean and std are for values up to it.

    Raises:
        FeatvizError: there is no such network, or its weights cannot be had or do not fit.
    """
    check_origin(weights, weights_key, url)
    check_classes(classes)
    check_typed_size(size)
    _check(name)
    options = dict(kwargs or {})
    network = _built(name, options, seed, url, weights == "pretrained")
    if weights not in ("pretrained", "random"):
        load_into(network, weights, weights_key)
    set_eval(network)
    size = size or options.get("img_size") or preprocessing_of(network, 3).size or DEFAULT_SIZE
    channels = find_in_channels(network, size)
    default = preprocessing_of(network, channels).for_pixels(channel_order, scale)
    values = (per_channel("mean", mean, default.mean), per_channel("std", std, default.std), size)
    told = (weights_name(weights, weights_key), dict(stages or {}), class_names(classes))
    return Model(name, network, *values, *told, channels, channel_order, scale, copied=False)


def _built(name: str, options: Mapping[str, Any], seed: int, url: str | None, pretrained: bool) -> nn.Module:
    """The network, with timm's weights or those of an address if it is to be pretrained."""
    if not pretrained:
        return _create(name, dict(options), seed, "")
    overlay = {"state_dict": fetch_state_dict(url), "custom_load": False} if url else None
    more = {"pretrained": True, "pretrained_cfg_overlay": overlay}
    network = _create(name, {**options, **more}, seed, url or _origin(name))
    cfg: dict[str, Any] = network.pretrained_cfg  # type: ignore[assignment]
    cfg.pop("state_dict", None)  # timm keeps a copy of the overlay's
    return network


def _check(name: str) -> None:
    """Refuse a network, or a tag of its weights, that timm does not know."""
    import timm  # slow to import, and of no use to who takes another model

    if name.startswith(_ELSEWHERE):  # looked up there
        return
    base, _, tag = name.partition(".")
    if not timm.is_model(base):
        raise FeatvizError(f"timm has no network '{base}'", got=base, known=timm.list_models(), setting="model.name")
    tags = [full.partition(".")[2] for full in timm.list_pretrained(f"{base}.*")]
    if tag and tag not in tags:
        raise FeatvizError(f"timm has no weights '{tag}' for {base}", got=tag, known=tags, setting="model.name")


def _origin(name: str) -> str:
    """Where timm gets a network's weights: the hub's name for them, or an address."""
    import timm

    if name.startswith(_ELSEWHERE):
        return name
    cfg = timm.get_pretrained_cfg(name)
    if not cfg or not cfg.has_weights:
        raise FeatvizError(
            f"timm has no weights for {name}: say model.weights=PATH or model.weights=random",
            setting="model.weights",
            got="pretrained",
        )
    return str(cfg.hf_hub_id or cfg.url)


def _create(name: str, options: dict[str, Any], seed: int, origin: str) -> nn.Module:
    import timm

    asks_hub = "://" not in (origin or "://") or name.startswith(_ELSEWHERE)
    try:
        with seeded(seed), _offline_if_unreachable(asks_hub):
            network: nn.Module = timm.create_model(name, **options)
    except Exception as error:  # of many kinds: timm's, torch's, the hub's, httpx's
        at = f" with the weights of {origin}" if origin else ""
        hint = "put weights in by hand with model.weights=PATH" if origin else ""
        what = "; ".join(filter(None, (f"timm could not load {name}{at}: {one_line(error)}", hint)))
        setting, got = ("model.kwargs", options) if isinstance(error, TypeError) else ("model.name", name)
        raise FeatvizError(what, setting=setting, got=got, hint=hint) from error
    return network


@contextmanager
def _offline_if_unreachable(asks_hub: bool) -> Iterator[None]:
    """Make the hub's client look in its cache alone where it would try for most of a minute in vain."""
    from huggingface_hub import constants

    before = constants.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = before or (asks_hub and not _reachable(constants.ENDPOINT))
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before


def _reachable(address: str) -> bool:
    try:
        urllib.request.urlopen(urllib.request.Request(address, method="HEAD"), timeout=5).close()
    except urllib.error.HTTPError as error:
        error.close()
    except OSError:
        return False
    return True
