"""A network of one's own: by its import path, or handed over in Python."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn

from featviz.errors import FeatvizError
from featviz.models.display import Groups
from featviz.models.forward_arguments import Arguments
from featviz.models.model import Model, copied_network, seeded
from featviz.models.network_checks import check_network
from featviz.models.pixel_format import check_order_and_scale
from featviz.models.sources.checkpoint import load_into
from featviz.models.sources.import_path import build, here_importable, resolve
from featviz.models.sources.told import (
    Values,
    check_classes,
    check_counts,
    check_origin,
    check_typed_size,
    class_names,
    per_channel,
    weights_name,
)
from featviz.models.value_range import Range, check_range
from featviz.shapes import Size


def load(
    target: str,
    weights: str | None = None,
    kwargs: Mapping[str, Any] | None = None,
    mean: Values | None = None,
    std: Values | None = None,
    size: Size | None = None,
    stages: Mapping[str, str] | None = None,
    name: str | None = None,
    seed: int = 0,
    weights_key: str | None = None,
    in_channels: int | None = None,
    classes: str | Sequence[str] | None = None,
    channel_order: str = "rgb",
    scale: float = 1.0,
    range: Range = None,
    display: Groups = None,
    forward: Arguments | None = None,
) -> Model:
    """Load a network by the import path of its class, of a function that returns it, or of itself.

    Args:
        target: ``package.module.Thing`` or ``package.module:Thing``; the folder one stands in is importable.
        weights: the path of a checkpoint, ``random``, or ``given`` where the target brings its own weights.
        kwargs: arguments of the class or the function.
        mean, std, size, stages, in_channels, channel_order, scale, range, display, forward: see
            :class:`featviz.models.model.Model`; what is not told, the network says, or it is found by trying.
        name: for titles and tables; the target's last part without it.
        seed: of random weights.
        weights_key: of the state dict, or the prefix of its names, where the checkpoint holds several: ``teacher``.
        classes: the names of its outputs: a list, or a file with one in each line.

    Raises:
        FeatvizError: there is no such target, it is no network, or the checkpoint does not fit.
    """
    check_origin(weights, weights_key)
    check_classes(classes)
    check_typed_size(size)
    check_counts(in_channels=in_channels)
    check_range(range)
    check_order_and_scale(channel_order, scale)
    network = _built(target, weights, dict(kwargs or {}), seed)
    assert weights is not None  # it has been asked for
    if weights not in ("random", "given"):
        load_into(network, weights, weights_key)
    short = name or target.replace(":", ".").rpartition(".")[2]
    names, pixels = class_names(classes), (channel_order, scale, range, display, forward)
    return _model(
        short, network, weights_name(weights, weights_key), mean, std, size, in_channels, stages, names, *pixels
    )


def _built(target: str, weights: str | None, kwargs: dict[str, Any], seed: int) -> nn.Module:
    """The network that a target stands for, for nobody else's use; FeatvizError where no weights are named."""
    with here_importable():
        with seeded(seed):  # on its own: what a first import draws must not change the network
            target_object = resolve(target)
        if weights is None:
            raise FeatvizError(
                f"no weights for {target}: say model.weights=PATH, model.weights=random, "
                "or model.weights=given where it brings its own",
                setting="model.weights",
            )
        with seeded(seed):
            network = build(target, target_object, kwargs)
    check_network(network)
    return copied_network(network) if network is target_object else network  # it is somebody else's too


def from_module(
    module: nn.Module,
    mean: Values | None = None,
    std: Values | None = None,
    size: Size | None = None,
    name: str | None = None,
    stages: Mapping[str, str] | None = None,
    in_channels: int | None = None,
    channel_order: str = "rgb",
    scale: float = 1.0,
    range: Range = None,
    display: Groups = None,
    forward: Arguments | None = None,
    copied: bool = True,
) -> Model:
    """Take a network as it is, in a copy: the module itself is neither frozen nor put in eval mode.

    What is not given is read off the network: see :func:`featviz.models.preprocessing.preprocessing_of`. Without
    ``copied`` the module itself is taken, which nobody else uses.
    """
    if not isinstance(module, nn.Module):
        raise FeatvizError(
            f"expected a torch.nn.Module, but this is a {type(module).__name__}", setting="model", got=module
        )
    check_network(module)
    network = copied_network(module) if copied else module
    pixels = channel_order, scale, range, display, forward
    return _model(name or type(module).__name__, network, "given", mean, std, size, in_channels, stages, (), *pixels)


def _model(
    name: str,
    network: nn.Module,
    weights: str,
    mean: Values | None,
    std: Values | None,
    size: Size | None,
    in_channels: int | None,
    stages: Mapping[str, str] | None,
    classes: Sequence[str] = (),
    channel_order: str = "rgb",
    scale: float = 1.0,
    range: Range = None,
    display: Groups = None,
    forward: Arguments | None = None,
) -> Model:
    """Take a network that nobody else uses; what is not told is read off it, or found by trying."""
    check_typed_size(size)
    check_counts(in_channels=in_channels)
    return Model(
        name=name,
        network=network,
        mean=per_channel("mean", mean),
        std=per_channel("std", std),
        size=size or 0,
        weights=weights,
        stages=dict(stages or {}),
        classes=tuple(classes),
        in_channels=in_channels or 0,
        channel_order=channel_order,
        scale=scale,
        range=range,
        display=display,
        forward=dict(forward or {}),
        copied=False,
    )
