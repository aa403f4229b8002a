"""Weights from a file: read without running any code in it, and put into a network strictly."""

from __future__ import annotations

import os
import pickle
import re
import warnings
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from featviz.errors import FeatvizError, one_line

SUFFIXES = (".pt", ".pth", ".ckpt", ".bin", ".tar", ".safetensors")
_NESTED_UNDER = ("state_dict", "model_state_dict", "model")


def read_state_dict(path: str | os.PathLike[str]) -> dict[str, Tensor]:
    """Read a state dict onto the CPU from .pt, .pth, Lightning's .ckpt or .safetensors.

    It may lie under ``state_dict``, ``model_state_dict`` or ``model``. Nothing in the file is run: one that
    holds other objects than tensors and plain values is refused.

    Raises:
        FeatvizError: there is no such file, it is cut short, or it is not a checkpoint.
    """
    file = Path(path).expanduser()
    if file.is_dir():
        raise FeatvizError(f"weights: {file} is a folder, expected a file ending in {', '.join(SUFFIXES)}")
    if not file.is_file():
        raise FeatvizError(f"weights: there is no file '{file}' (expected pretrained, random, given, or a file's path)")
    if file.suffix.lower() not in SUFFIXES:
        raise FeatvizError(f"weights: {file} must end in one of {', '.join(SUFFIXES)}")
    read = load_file if file.suffix.lower() == ".safetensors" else _read_torch
    try:
        content = read(file)
    except OSError as error:
        raise FeatvizError(f"weights: {file} cannot be read: {one_line(error)}") from error
    except SafetensorError as error:
        raise FeatvizError(f"weights: {file} is cut short or not safetensors: {one_line(error)}") from error
    return _find_state_dict(content, file)


def load_into(network: nn.Module, path: str | os.PathLike[str]) -> None:
    """Put a file's weights into a network, strictly; a prefix before all names (``module.``) is stripped.

    Raises:
        FeatvizError: as for :func:`read_state_dict`, or the weights are not this network's.
    """
    load_state(network, read_state_dict(path), str(path))


def load_state(network: nn.Module, state: dict[str, Tensor], source: str) -> None:
    """Put a state dict into a network as :func:`load_into` does; ``source`` names it in the error."""
    state = _without_prefix(state, network.state_dict().keys())
    try:
        network.load_state_dict(state)
    except (RuntimeError, ValueError) as error:
        differ = _differences(network.state_dict(), state) or one_line(error)
        raise FeatvizError(f"weights: {source} does not fit {type(network).__name__}: {differ}") from error


def renamed(state: dict[str, Tensor], names: Mapping[str, str]) -> dict[str, Tensor]:
    """Give a state dict's tensors the names that ``names`` maps to, keeping its version metadata."""
    other = OrderedDict((names[name], tensor) for name, tensor in state.items() if name in names)
    if hasattr(state, "_metadata"):
        other._metadata = state._metadata  # type: ignore[attr-defined]
    return other


def _read_torch(file: Path) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of TorchScript archives torch warns before it refuses them
            return torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        foreign = re.search(r"GLOBAL (\S+)|class (\S+)", str(error))
        if foreign is None:
            raise FeatvizError(f"weights: {file} is cut short or not a checkpoint") from error
        raise FeatvizError(
            f"weights: {file} holds {foreign[1] or foreign[2]}, and such objects could run code: "
            "save the weights alone with torch.save(network.state_dict(), path)"
        ) from error
    except Exception as error:  # for a bad file torch raises RuntimeError, EOFError, KeyError, EINVAL, ...
        if isinstance(error, OSError) and error.filename:  # not to be opened at all
            raise
        raise FeatvizError(f"weights: {file} is cut short or not a checkpoint: {one_line(error, 120)}") from error


def _find_state_dict(content: Any, file: Path) -> dict[str, Tensor]:
    candidates = [content, *(content.get(word) for word in _NESTED_UNDER)] if isinstance(content, dict) else []
    for candidate in candidates:
        if candidate and isinstance(candidate, dict) and all(isinstance(v, Tensor) for v in candidate.values()):
            return candidate
    what = (
        f"its keys are {', '.join(map(str, list(content)[:8]))}"
        if candidates
        else f"it holds a {type(content).__name__}"
    )
    raise FeatvizError(f"weights: {file} holds no state dict, plain or under {', '.join(_NESTED_UNDER)}: {what}")


def _without_prefix(state: dict[str, Tensor], expected: Iterable[str]) -> dict[str, Tensor]:
    """Strip the common prefix (``module.``, ``model.net.``, ...) that makes most names match."""
    expected = set(expected)
    parts = next(iter(state)).split(".")[:-1]
    prefixes = ["".join(f"{part}." for part in parts[:n]) for n in range(len(parts) + 1)]
    common = [prefix for prefix in prefixes if all(name.startswith(prefix) for name in state)]
    best = max(common, key=lambda prefix: sum(name[len(prefix) :] in expected for name in state))
    if not best:
        return state
    stripped = renamed(state, {name: name[len(best) :] for name in state})
    versions = getattr(state, "_metadata", {})
    stripped._metadata = {  # type: ignore[attr-defined]
        name[len(best) :]: version for name, version in versions.items() if f"{name}.".startswith(best)
    }
    return stripped


def _differences(own: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> str:
    """The first names that differ: ``missing a.bias; unexpected b.bias; c.bias expected [9], candidates [5]``."""
    missing = [name for name in own if name not in state and not name.endswith("num_batches_tracked")]
    unexpected = [name for name in state if name not in own]
    shapes = [
        f"{name} expected {list(own[name].shape)}, candidates {list(tensor.shape)}"
        for name, tensor in state.items()
        if name in own and own[name].shape != tensor.shape
    ]
    kinds = (("missing ", missing), ("unexpected ", unexpected), ("", shapes))
    return "; ".join(word + _first(names) for word, names in kinds if names)


def _first(names: list[str], most: int = 3) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
