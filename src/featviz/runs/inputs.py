"""What goes into a run by its contents: the network's weights, and the files that settings name, not their paths alone.

``inputs.json`` in a run's folder keeps the checksums; a run that goes on with other contents is another run.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from featviz.errors import FeatvizError, one_line
from featviz.models.model import Model
from featviz.photos.files import find_photos
from featviz.reading import expanded, read_bytes
from featviz.results.files import write_file

NAME = "inputs.json"
NETWORK = "the network's weights"
#: Settings whose folders are folders of photos.
FOLDERS = ("photo", "reference", "data", "spectrum", "path", "level", "photos_from")
MOST_READ = 1000  # files of a folder; of more, names and sizes have to do
APART = ("output", "name", "resume", "exemplars", "runs", "into", "weights", "evidence", "callbacks", "logger", "hydra")
MOST_BYTES = 2**22

Inputs = Mapping[str, str]


def inputs_of(config: Mapping[str, Any], model: Model | None = None) -> Inputs:
    """The checksums of a model's network, and of the files that a configuration names, by setting."""
    found = {} if model is None else {NETWORK: model.checksum}
    return found | {name: digest for name, value in _leaves(config) if (digest := _digest(name, value))}


def write_inputs(folder: Path, inputs: Inputs) -> None:
    """Write them into a run's folder."""
    write_file(folder / NAME, (json.dumps(inputs, indent=0, sort_keys=True) + "\n").encode())


def read_inputs(folder: Path) -> Inputs | None:
    """Those of a run's folder; None where there are none.

    Raises:
        FeatvizError: the file is damaged.
    """
    path = folder / NAME
    if not path.is_file():
        return None
    try:
        content = json.loads(read_bytes(path, MOST_BYTES))
    except (OSError, ValueError, RecursionError) as error:
        raise FeatvizError(f"cannot read {path}: {one_line(error)}", got=path) from error
    if not isinstance(content, dict) or not all(isinstance(value, str) for value in content.values()):
        raise FeatvizError(f"cannot read {path}: it holds no checksums", got=path)
    return content


def check_inputs(folder: Path, inputs: Inputs) -> None:
    """Raise FeatvizError where the run in a folder was made of other contents under the same names."""
    if differ := different_inputs(read_inputs(folder), inputs):
        what = f"{folder} holds a run with other contents of {differ}"
        raise FeatvizError(what, setting="resume", got=differ, expected="another folder")


def different_inputs(before: Inputs | None, now: Inputs | None) -> str:
    """The names of what differs; empty where nothing does, or nothing is known."""
    if before is None or now is None:
        return ""
    return ", ".join(name for name in sorted({*before, *now}) if before.get(name) != now.get(name))


def _leaves(node: Any, prefix: str = "") -> list[tuple[str, str]]:
    if isinstance(node, str):
        return [(prefix, node)]
    if isinstance(node, Mapping):
        pairs = [(f"{prefix}.{name}" if prefix else str(name), value) for name, value in node.items()]
        return [leaf for name, value in pairs if name.rpartition(".")[2] not in APART for leaf in _leaves(value, name)]
    if isinstance(node, list | tuple):
        return [leaf for at, value in enumerate(node) for leaf in _leaves(value, f"{prefix}.{at}")]
    return []


def _digest(name: str, value: str) -> str:
    layer, at, file = value.partition("@")  # layer3@FILE has the concepts of a file
    path = expanded(file if layer and at and "layer" in name.split(".") else value)
    try:
        if path.is_file():
            return _of_file(path)
        known = any(part in FOLDERS for part in name.split("."))
        return _of_photos(path) if known and value and path.is_dir() else ""
    except (OSError, ValueError):  # a text that no file system takes as a name
        return ""


def _of_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=8)).hexdigest()


def _of_photos(folder: Path) -> str:
    digest, files = hashlib.blake2b(digest_size=8), find_photos(folder)
    for file in files:
        name = str(file.relative_to(folder))
        digest.update(f"{name}\0{file.stat().st_size}\0".encode(errors="surrogateescape"))
        if len(files) <= MOST_READ:
            digest.update(_of_file(file).encode())
    return digest.hexdigest()
