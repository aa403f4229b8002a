"""Puts the weights that fit into a network, and says what does not fit and what is left aside."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from inspect import signature
from typing import Any

import torch
from torch import Tensor, nn

from featviz.errors import FeatvizError, one_line
from featviz.models.sources.inert_pickle import Placeholder
from featviz.models.sources.state_dicts import OPTIONAL, Fit, plain_name

COUNTERS = ("total_ops", "total_params")  # what profilers leave beside the weights of every module


def put_weights(network: nn.Module, fit: Fit, origin: str) -> None:
    """Load what fits; FeatvizError, naming ``origin``, where it is not this network's weights, or holds no numbers."""
    _check_values(fit, origin)
    own, state = network.state_dict(), _loadable(fit, network)
    misfit = f"weights: {origin} does not fit {type(network).__name__}"
    extra = [name for name in fit.aside if _is_of_network(network, fit.inner_name(name))]
    try:
        missing = [
            name
            for name in network.load_state_dict(state, strict=False).missing_keys
            if name.rpartition(".")[2] not in OPTIONAL
        ]
    except (RuntimeError, ValueError, AttributeError) as error:
        what = f"{misfit}: {_differences(own, state, extra) or one_line(error)}"
        hint = "" if _missing(own, state) or extra else _hint_of_classes(network, own, state)
        raise FeatvizError(what, setting="model.weights", got=str(origin), hint=hint) from error
    if missing and not fit.names:
        extra = list(fit.source.entries)
    if missing or (extra and fit.complete):
        raise FeatvizError(f"{misfit}: {_differences(own, state, extra)}", setting="model.weights", got=str(origin))


def described(fit: Fit, fits: Sequence[Fit]) -> Iterator[str]:
    """What was taken and left, a line each, where it is not all that the file holds."""
    others = [other.key for other in fits if other.complete and other is not fit and other.key]
    if others:
        keys = " or ".join(f"model.weights_key={key}" for key in others[:3])
        yield f"{f'taken from {fit.key}' if fit.key else 'taken as they stand'}; {keys} takes others that fit as well"
    if aside := [name for name in fit.aside if name.rpartition(".")[2] not in (*OPTIONAL, *COUNTERS)]:
        yield f"left aside, the network has no place for it: {_first(aside)}"


def _loadable(fit: Fit, network: nn.Module) -> dict[str, Any]:
    """The state without values that are placeholders: what the file held there is not known."""
    state = fit.state(network)
    for name in [name for name, value in state.items() if not _is_plain(value)]:
        del state[name]
    return state


def _is_plain(value: Any) -> bool:
    if isinstance(value, Mapping):
        return all(map(_is_plain, (*value.keys(), *value.values())))
    if isinstance(value, list | tuple):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, Tensor | bool | int | float | str)


def _check_values(fit: Fit, origin: str) -> None:
    for name, value in fit.source.entries.items():
        rebuilder = value.origin.rpartition(".")[2] if isinstance(value, Placeholder) else ""
        if rebuilder == "_rebuild_qtensor" or (isinstance(value, Tensor) and value.is_quantized):
            hint = "give the weights from before it was quantized"
            what = f"weights: {origin} is of a quantized network ({name}), through which no gradient passes: {hint}"
            raise FeatvizError(what, setting="model.weights", got=str(origin), hint=hint)
        if rebuilder == "_rebuild_meta_tensor_no_storage" or (isinstance(value, Tensor) and value.is_meta):
            raise FeatvizError(
                f"weights: {origin} was saved from the meta device and holds no numbers ({name})",
                setting="model.weights",
                got=str(origin),
            )


def _is_of_network(network: nn.Module, name: str | None) -> bool:
    """Whether a name that the network lacks stands inside of a part that it has: the part is another one, then.

    A head that the network has not (``head.weight``), or has an ``Identity`` for, is none; nor are buffers that
    newer versions of a part no longer save.
    """
    if name is None or name.rpartition(".")[2] in (*OPTIONAL, *COUNTERS):
        return False
    if name in {plain_name(buffer) for buffer, _ in network.named_buffers()}:
        return False
    modules = {plain_name(path): module for path, module in network.named_modules()}
    path = name.rpartition(".")[0]
    while path not in modules:
        path = path.rpartition(".")[0]
    if not path:
        return isinstance(network, nn.Sequential | nn.ModuleList) and name.partition(".")[0].isdigit()
    return bool(modules[path].state_dict())


def _differences(own: Mapping[str, Any], state: Mapping[str, Any], extra: Sequence[str]) -> str:
    """The first names that differ: ``missing a.bias; unexpected b.bias; c.bias expected [9], found [5]``."""
    shapes = [f"{name} expected {list(ours)}, found {list(found)}" for name, ours, found in _other_shapes(own, state)]
    kinds = (("missing ", _missing(own, state)), ("unexpected ", list(extra)), ("", shapes))
    return "; ".join(word + _first(names) for word, names in kinds if names)


def _missing(own: Mapping[str, Any], state: Mapping[str, Any]) -> list[str]:
    return [name for name in own if name not in state and name.rpartition(".")[2] not in OPTIONAL]


def _other_shapes(own: Mapping[str, Any], state: Mapping[str, Any]) -> list[tuple[str, torch.Size, torch.Size]]:
    """The tensors whose shapes differ: name, the network's shape, and the file's."""
    pairs = ((name, own.get(name), tensor) for name, tensor in state.items())
    return [
        (name, ours.shape, found.shape)
        for name, ours, found in pairs
        if isinstance(ours, Tensor) and isinstance(found, Tensor) and ours.shape != found.shape
    ]


def _hint_of_classes(network: nn.Module, own: Mapping[str, Any], state: Mapping[str, Any]) -> str:
    """How to build the network with as many classes as the weights have, where their number is all that differs.

    That is so where linear layers or convolutions differ in the number of outputs alone, and all in the same one: a
    layer before the last would change the inputs of the next.
    """
    shapes, modules = _other_shapes(own, state), dict(network.named_modules())
    heads = [modules.get(name.rpartition(".")[0]) for name, _, _ in shapes]
    counts = {found[:1] for _, _, found in shapes}
    if len(counts) != 1 or not all(isinstance(head, nn.Linear | nn.Conv2d) for head in heads):
        return ""
    if any(ours[1:] != found[1:] for _, ours, found in shapes):
        return ""
    count, name = shapes[0][2][0], _name_of_classes(network)
    setting = f"model.kwargs.{name}={count}" if name else f"tell its class so, model.kwargs.NAME={count}"
    return f"these weights have {count} outputs: {setting}"


def _name_of_classes(network: nn.Module) -> str:
    """What the argument for the number of classes is called; empty where none is called so."""
    if type(network).__module__.startswith(("torchvision.", "timm.")):
        return "num_classes"
    names = signature(type(network).__init__).parameters
    return next((name for word in ("class", "label", "output") for name in names if word in name.lower()), "")


def _first(names: Sequence[str], most: int = 3) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
