"""Puts the weights that fit into a network, and says what does not fit and what is left aside."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

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
        raise FeatvizError(
            f"{misfit}: {_differences(own, state, extra) or one_line(error)}", setting="model.weights", got=str(origin)
        ) from error
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
            raise FeatvizError(
                f"weights: {origin} is of a quantized network ({name}), through which no gradient passes: "
                "give the weights from before it was quantized",
                setting="model.weights",
                got=str(origin),
            )
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
    missing = [name for name in own if name not in state and name.rpartition(".")[2] not in OPTIONAL]
    shapes = [
        f"{name} expected {list(own[name].shape)}, found {list(tensor.shape)}"
        for name, tensor in state.items()
        if isinstance(own.get(name), Tensor) and isinstance(tensor, Tensor) and own[name].shape != tensor.shape
    ]
    kinds = (("missing ", missing), ("unexpected ", list(extra)), ("", shapes))
    return "; ".join(word + _first(names) for word, names in kinds if names)


def _first(names: Sequence[str], most: int = 3) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
