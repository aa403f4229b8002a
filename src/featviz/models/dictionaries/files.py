"""Files of dictionaries: ours and those of sparse autoencoders as safetensors, and checkpoints of ``overcomplete``.

Nothing in them is run, and sizes are checked before anything is read.
"""

from __future__ import annotations

import json
import pickle
import warnings
import zipfile
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from featviz.errors import FeatvizError, one_line
from featviz.models.dictionaries.dictionary import Dictionary, Source
from featviz.models.dictionaries.overcomplete import from_overcomplete
from featviz.reading import CONCEPTS, check_archive, check_input, check_plain_file, expanded

MOST_BYTES = 2**30
WEIGHTS = ("W_enc", "b_enc", "W_dec", "b_dec")
FORM = "featviz dictionary 1"  # of files, with which their metadata begin
SETTING = "layer"  # the setting that names such a file
DAMAGED = (SafetensorError, OSError, EOFError, RuntimeError, KeyError, TypeError, ValueError, pickle.UnpicklingError)

Weights = Mapping[str, Tensor]


def read_dictionary(path: str | Path, k: int = 0) -> Dictionary:
    """Read a dictionary from a file.

    Files of safetensors hold ``W_enc`` (channels, concepts), ``b_enc``, ``W_dec`` (concepts, channels) and ``b_dec``;
    codes are ``(x - b_dec) W_enc + b_enc``, rectified, where metadata say nothing else. Others are state dicts of
    ``overcomplete``'s autoencoders with a linear encoder.

    Args:
        path: of the file.
        k: how many codes count at a position, where the file does not say it; 0 for all that are above zero.

    Raises:
        FeatvizError: there is no such file, it is damaged or holds something else.
    """
    file = expanded(path)
    check_input(SETTING, file, CONCEPTS)
    status = file.stat()
    return _read(file.resolve(), k, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=8)  # layers are asked for by name again and again
def _read(file: Path, k: int, _changed: int, _size: int) -> Dictionary:
    try:
        check_plain_file(file, MOST_BYTES)
        return _from_safetensors(file, k) if file.suffix.lower() == ".safetensors" else _from_torch(file, k)
    except FeatvizError as error:
        what = f"cannot read the concepts of {file}: {error}"
        raise FeatvizError(what, setting=SETTING, got=str(file)) from error
    except (*DAMAGED, zipfile.BadZipFile) as error:
        what = f"{file} is damaged, or holds no dictionary of concepts: {one_line(error, 120)}"
        raise FeatvizError(what, setting=SETTING, got=str(file)) from error


def _from_safetensors(file: Path, k: int) -> Dictionary:
    with safe_open(file, "pt") as content:
        names, metadata = set(content.keys()), content.metadata() or {}
        if missing := [name for name in WEIGHTS if name not in names]:
            raise FeatvizError(f"there is no {missing[0]} in it", expected=", ".join(WEIGHTS))
        if others := names - {*WEIGHTS}:
            what = f"it also holds {', '.join(sorted(others)[:4])}, which codes would depend on"
            raise FeatvizError(what, expected=f"{', '.join(WEIGHTS)} alone")
        weights = {name: _numbers(name, content.get_tensor(name)) for name in WEIGHTS}
    if metadata.get("format") == FORM:
        return _of_ours(weights, metadata)
    return of_autoencoder(weights, int(metadata.get("k", k)))


def _numbers(name: str, weights: Tensor) -> Tensor:
    if not weights.is_floating_point():
        raise FeatvizError(f"{name} holds {weights.dtype}", expected="floating-point numbers")
    if not weights.numel():
        raise FeatvizError(f"{name} is empty", got=name)
    return weights.float()


def of_autoencoder(weights: Weights, k: int) -> Dictionary:
    """The dictionary of an autoencoder's weights, either of which may stand on its side; with ``k``, a TopK one."""
    concepts, channels = weights["b_enc"].numel(), weights["b_dec"].numel()
    shapes = {"W_enc": (concepts, channels), "W_dec": (channels, concepts)}
    turned = [name for name, shape in shapes.items() if tuple(weights[name].shape) == shape and concepts != channels]
    upright = {name: each.T if name in turned else each for name, each in weights.items()}
    return _built("sae", upright, "topk" if k else "relu", k, None)


def _built(method: str, weights: Weights, activation: str, k: int, source: Source | None) -> Dictionary:
    W_enc, b_enc, W_dec, b_dec = (weights[name] for name in WEIGHTS)
    return Dictionary(method, W_enc, b_enc, W_dec, b_dec, activation, k, source)


def _of_ours(weights: Weights, metadata: Mapping[str, str]) -> Dictionary:
    given = json.loads(metadata["source"])
    texts = {name: str(given[name]) for name in ("model", "network", "layer", "module")}
    mean, std = (tuple(map(float, given[name])) for name in ("mean", "std"))
    source = Source(**texts, channels=int(given["channels"]), mean=mean, std=std)
    method = metadata["method"]
    if not method.isidentifier():
        raise FeatvizError(f"unknown method '{method}'", got=method)
    return _built(method, weights, metadata["activation"], int(metadata["k"]), source)


def _from_torch(file: Path, k: int) -> Dictionary:
    check_archive(file)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a file that torch has not written
        try:
            content = torch.load(file, map_location="cpu", weights_only=True)
        except pickle.UnpicklingError as error:
            what = "it holds more than weights, which could run code"
            raise FeatvizError(what, expected="a file of torch.save(sae.state_dict(), path)") from error
    weights, found = from_overcomplete(content)
    return of_autoencoder({name: _numbers(name, each) for name, each in weights.items()}, found or k)


def write_dictionary(dictionary: Dictionary) -> bytes:
    """A dictionary as safetensors, with all else in the metadata."""
    source = dictionary.source
    assert source is not None  # ours always say of what they are
    weights = {name: getattr(dictionary, name).detach().cpu().float().contiguous() for name in WEIGHTS}
    metadata = {
        "format": FORM,
        "method": dictionary.method,
        "activation": dictionary.activation,
        "k": str(dictionary.k),
        "concepts": str(dictionary.concepts),
        "source": json.dumps(vars(source)),
    }
    return save(weights, metadata)
