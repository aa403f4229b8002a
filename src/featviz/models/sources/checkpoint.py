"""Weights from a file: read without running any code in it, and put into a network by the names that it needs."""

from __future__ import annotations

import logging
import os
import pickle
import warnings
from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from featviz.errors import FeatvizError, one_line
from featviz.models.network_checks import check_network
from featviz.models.sources.file_kinds import SAVE_STATE, check_file
from featviz.models.sources.inert_pickle import Placeholder, read_inert
from featviz.models.sources.put_weights import described, put_weights
from featviz.models.sources.state_dicts import USUAL_KEYS, Fit, StateDict, find_fits, find_state_dicts
from featviz.reading import expanded

log = logging.getLogger(__name__)

Content = Mapping[str, Any]


def read_checkpoint(path: str | os.PathLike[str]) -> Any:
    """Read what a .pt, .pth, Lightning's .ckpt or .safetensors holds onto the CPU.

    Nothing in the file is run: objects that are neither tensors nor plain values become placeholders.

    Raises:
        FeatvizError: there is no such file, it is cut short, or it holds a program or a whole network.
    """
    file = expanded(path)
    check_file(file)
    try:
        return load_file(file) if file.suffix.lower() == ".safetensors" else _read_torch(file)
    except OSError as error:
        raise FeatvizError(
            f"weights: {file} cannot be read: {one_line(error)}", setting="model.weights", got=str(file)
        ) from error
    except SafetensorError as error:
        raise FeatvizError(
            f"weights: {file} is cut short or not safetensors: {one_line(error)}",
            setting="model.weights",
            got=str(file),
        ) from error


def read_state_dict(path: str | os.PathLike[str]) -> dict[str, Tensor]:
    """Read the state dict of a file that holds one, plain or under the usual keys, as it stands there.

    Raises:
        FeatvizError: as for :func:`read_checkpoint`, or the file holds no state dict.
    """
    content = read_checkpoint(path)
    sources = _state_dicts(content, str(path))
    usual = [source for key in USUAL_KEYS for source in sources if source.key == key]
    entries = (usual or sources)[0].entries
    return entries if isinstance(entries, dict) else dict(entries)


def load_into(
    network: nn.Module,
    path: str | os.PathLike[str],
    key: str | None = None,
    rename: Callable[[Content], Content] | None = None,
) -> None:
    """Put a file's weights into a network: what the network needs, wherever in the file it stands.

    Prefixes (``module.``, ``model.net.``) and parts that torch's wrappers put into names do not matter. What the
    file holds beside is told in the log.

    Args:
        network: takes the weights.
        path: of the file.
        key: of the state dict, or the prefix of its names, where the file holds several: ``teacher``.
        rename: gives a state dict today's names.

    Raises:
        FeatvizError: as for :func:`read_checkpoint`, the weights are not this network's, or those of several
            networks are in the file.
    """
    sources = _state_dicts(read_checkpoint(path), str(path))
    load_state(network, sources, str(path), key, rename)


def load_state(
    network: nn.Module,
    state: Content | list[StateDict],
    origin: str,
    key: str | None = None,
    rename: Callable[[Content], Content] | None = None,
) -> None:
    """Put a state dict, or one of several, into a network as :func:`load_into` does; ``origin`` names the file."""
    sources = state if isinstance(state, list) else [StateDict("", state)]
    if rename:
        sources = [StateDict(source.key, rename(source.entries)) for source in sources]
    check_network(network)
    own = network.state_dict()
    fits = [fit for source in sources for fit in find_fits(source, own)]
    fit = _choose(fits, origin, key) or Fit(sources[0], "", {}, complete=not own)
    put_weights(network, fit, origin)
    for line in described(fit, fits):
        log.info("weights: %s: %s", origin, line)


def renamed(state: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """Give a state dict's tensors the names that ``names`` maps to, keeping its version metadata."""
    other = OrderedDict((names[name], tensor) for name, tensor in state.items() if name in names)
    if hasattr(state, "_metadata"):
        other._metadata = state._metadata  # type: ignore[attr-defined]
    return other


def _read_torch(file: Path) -> Any:
    try:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return torch.load(file, map_location="cpu", weights_only=True)
        except pickle.UnpicklingError:  # it names other objects than tensors and plain values, or is cut short
            return read_inert(file)
    except Exception as error:  # for a bad file torch raises RuntimeError, EOFError, KeyError, EINVAL, ...
        if isinstance(error, OSError) and error.filename:  # not to be opened at all
            raise
        raise FeatvizError(
            f"weights: {file} is cut short or not a checkpoint: {one_line(error, 120)}",
            setting="model.weights",
            got=str(file),
        ) from error


def _state_dicts(content: Any, origin: str) -> list[StateDict]:
    if sources := list(find_state_dicts(content)):
        return sources
    values = {"": content} | (dict(content) if isinstance(content, Mapping) else {})
    for key, value in values.items():
        if isinstance(value, Placeholder) and value.is_module:
            where = f" under '{key}'" if key else ""
            hint = (
                "where you trust the file, load it with torch.load(path, weights_only=False) and save its weights "
                f"alone with {SAVE_STATE}"
            )
            network = f"a whole pickled network{where} ({value.origin})"
            what = f"weights: {origin} holds {network}, and reading it could run code: {hint}"
            raise FeatvizError(what, setting="model.weights", got=str(origin), hint=hint)
    kind = content.origin if isinstance(content, Placeholder) else type(content).__name__
    keys = f"its keys are {', '.join(map(str, list(content)[:8]))}" if isinstance(content, Mapping) else ""
    hint = keys or f"it holds a {kind}"
    what = f"weights: {origin} holds no state dict: {hint}"
    raise FeatvizError(what, setting="model.weights", got=str(origin), hint=hint)


def _choose(fits: list[Fit], origin: str, key: str | None) -> Fit | None:
    """The fit that the key names, or the one in the most usual place; FeatvizError where there are several."""
    known = [fit.key for fit in fits if fit.key]
    if key is not None:
        fits = [fit for fit in fits if fit.is_at(key)]
        fits = [fit for fit in fits if fit.key == key] or fits
        if not fits:
            what = f"weights: {origin} holds no weights for this network under '{key}'"
            raise FeatvizError(what, setting="model.weights_key", got=key, known=known)
    complete = [fit for fit in fits if fit.complete]
    if not complete:
        return max(fits, key=lambda fit: (len(fit.names), -fit.rank), default=None)
    best = [fit for fit in complete if fit.rank == min(other.rank for other in complete)]
    if not all(_are_same(best[0], fit) for fit in best[1:]):
        hint = f"choose one with {' or '.join(f'model.weights_key={fit.key}' for fit in best[:6])}"
        what = f"weights: {origin} holds the weights of several networks that fit; {hint}"
        raise FeatvizError(what, setting="model.weights_key", hint=hint)
    return best[0]


def _are_same(fit: Fit, other: Fit) -> bool:
    """Whether two fits hold the same numbers."""
    pairs = ((fit.source.entries[name], other.source.entries[other.names[own]]) for own, name in fit.names.items())
    return all(isinstance(one, Tensor) and torch.equal(one, two) for one, two in pairs)
