"""Vectors in a layer's channel space, from the configuration or from a file."""

from __future__ import annotations

import logging
import pickle
import warnings
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from featviz.errors import FeatvizError, one_line
from featviz.models.layers import Layer
from featviz.reading import MOST_BYTES, check_archive, check_input, expanded, read_array

log = logging.getLogger(__name__)

SETTING = "objective.vectors"
ENDINGS = (".npy", ".csv", ".pt")

DAMAGED = (OSError, ValueError, EOFError, RuntimeError, TypeError, KeyError, pickle.UnpicklingError, zipfile.BadZipFile)

#: A vector, several, or the path of a file with one or several.
Vectors = Sequence[float] | Sequence[Sequence[float]] | str | Tensor

#: The same for each of several layers, by module.
VectorsByLayer = Mapping[str, Vectors]


def read_vectors(vectors: Vectors) -> Tensor:
    """Vectors (count, length) from numbers, or from a file: .npy, .csv (one a line) or .pt; nothing in it is run.

    Raises:
        FeatvizError: there is no such file, it is damaged, or what it holds are no vectors.
    """
    if isinstance(vectors, str):
        return _checked(_from_file(expanded(vectors)), f" of {vectors}")
    check_vectors(vectors)
    try:
        table = torch.as_tensor(vectors)
    except (TypeError, ValueError, RuntimeError) as error:
        raise FeatvizError(
            setting="objective.vectors", got=vectors, expected="numbers, or lists of equal length"
        ) from error
    return _checked(table, "")


def check_vectors(vectors: object) -> None:
    """Raise FeatvizError for lists that are no vectors, or a file that is not there; it is read later."""
    if isinstance(vectors, Mapping):
        for of_layer in vectors.values():
            check_vectors(of_layer)
    if isinstance(vectors, str):
        check_input(SETTING, expanded(vectors), ENDINGS)
    if isinstance(vectors, list | tuple):
        rows = [row if isinstance(row, list | tuple) else [row] for row in vectors]
        alike = len({isinstance(row, list | tuple) and len(row) for row in vectors}) == 1
        numbers = [type(number) in (int, float) for row in rows for number in row]
        if not alike or not numbers or not all(numbers):
            raise FeatvizError(setting=SETTING, got=vectors, expected="numbers, or lists of equal length")


def vectors_of(vectors: Vectors | VectorsByLayer, module: str) -> Vectors:
    """Those of a layer, where there are some for each; FeatvizError where there are none for this one."""
    if not isinstance(vectors, Mapping):
        return vectors
    if module not in vectors:
        what = f"objective.vectors has none for {module}"
        raise FeatvizError(what, setting="objective.vectors", got=module, known=list(vectors))
    return vectors[module]


def check_numbers(vectors: Tensor, numbers: Sequence[int]) -> None:
    """Raise FeatvizError for numbers of vectors that are not there; a single vector serves all numbers."""
    if len(vectors) > 1 and max(numbers) >= len(vectors):
        what = f"there is no vector {max(numbers)}: there are {len(vectors)}, from 0"
        raise FeatvizError(what, setting="filters", got=max(numbers))


def vector_numbers(vectors: Vectors, layer: Layer) -> list[int]:
    """The numbers of the vectors of a setting, from 0; FeatvizError where their length is not the layer's."""
    read = read_vectors(vectors)
    check_length(read, layer.name, layer.channels or 0)
    return list(range(len(read)))


def check_length(vectors: Tensor, layer: str, channels: int) -> None:
    """Raise FeatvizError for vectors that are not of a layer's channel space."""
    if vectors.shape[1] != channels:
        raise FeatvizError(
            f"objective.vectors: a vector has {vectors.shape[1]} numbers, but {layer} has {channels} filters",
            setting=SETTING,
            got=vectors.shape[1],
            expected="one number for each",
        )


def _from_file(path: Path) -> Tensor:
    check_input(SETTING, path, ENDINGS)
    try:
        return READERS[path.suffix.lower()](path)
    except (*DAMAGED, MemoryError) as error:
        log.debug("%s: %s", path, one_line(error))  # the libraries' advice is to run what is in the file
        what = f"objective.vectors: {path} is damaged, or holds other things than numbers"
        raise FeatvizError(what, setting=SETTING, got=path) from error


def _npy(path: Path) -> Tensor:
    return torch.from_numpy(read_array(path).astype(np.float32))


def _csv(path: Path) -> Tensor:
    if path.stat().st_size > MOST_BYTES:
        raise ValueError("it is longer than 1 GiB")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of an empty file, which is refused below
        return torch.from_numpy(np.loadtxt(path, delimiter=",", ndmin=2, dtype=np.float32))


def _pt(path: Path) -> Tensor:
    check_archive(path)
    table = torch.as_tensor(torch.load(path, map_location="cpu", weights_only=True))
    if table.numel() * 4 > MOST_BYTES:  # a few numbers may claim to be repeated any number of times
        raise ValueError(f"it claims to hold {table.numel()} numbers")
    return table


READERS: dict[str, Callable[[Path], Tensor]] = dict(zip(ENDINGS, (_npy, _csv, _pt), strict=True))


def _checked(table: Tensor, where: str) -> Tensor:
    vectors = table.detach().float().cpu().reshape(1, -1) if table.ndim == 1 else table.detach().float().cpu()
    if vectors.ndim != 2 or not vectors.numel():
        raise FeatvizError(
            f"objective.vectors{where}: shape {list(table.shape)}",
            setting=SETTING,
            got=list(table.shape),
            expected="one vector, or (count, length)",
        )
    usable = vectors.isfinite().all(1) & (vectors != 0).any(1)
    if not usable.all():
        at = usable.tolist().index(False)
        what = f"objective.vectors{where}: vector {at} is zero or holds numbers that are not finite"
        raise FeatvizError(what, setting=SETTING, got=at)
    return vectors
