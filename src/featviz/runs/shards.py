"""The folders of a run's shards: found, checked to be of one run, and each picture's best source.

All of it is data: no network is built, and nothing that a folder names is looked up outside of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from glob import has_magic
from pathlib import Path
from typing import cast

import numpy as np

from featviz.errors import FeatvizError
from featviz.reading import MOST_BYTES, expanded, inside, opened_png, read_bytes
from featviz.results.completion import damaged
from featviz.results.files import in_one_line
from featviz.results.folder import RunFolder
from featviz.results.rows import Row, key_of, own_reason
from featviz.runs.inputs import different_inputs, read_inputs
from featviz.runs.manifest import Manifest
from featviz.runs.resume import finished_rows
from featviz.runs.run import Shard
from featviz.runs.same_settings import Config, differences, read_config, value_at

Key = tuple[str, int, int]


@dataclass(frozen=True)
class Part:
    """A run folder with what is finished in it."""

    folder: RunFolder
    config: Config
    manifest: Manifest
    rows: dict[Key, Row]

    @property
    def shard(self) -> Shard:
        """Its share of the run's chunks."""
        return Shard.read(value_at(self.config, "shard", str, "runs") if self.config.get("shard") else None)

    @property
    def batch_size(self) -> object:
        """As it was set."""
        return self.config.get("batch_size")


def find_runs(texts: Iterable[str], into: Path) -> list[Path]:
    """The run folders that paths, patterns and the folders of sweeps name, each once, without ``into`` itself."""
    found = {path.resolve(): path for text in texts for path in _found(str(text), into)}
    found.pop(into.resolve(), None)
    if not found:
        expected = "the folders of shards, 'runs=[FOLDER,FOLDER]' or runs='FOLDER/*'"
        raise FeatvizError("runs is empty", setting="runs", expected=expected)
    return list(found.values())


def _found(text: str, into: Path) -> list[Path]:
    path = expanded(text)
    if _is_run(path) and path.resolve() != into.resolve():  # the whole may lie above its shards
        return [path]
    if has_magic(text):
        anchor = Path(path.anchor)
        found = sorted(each for each in anchor.glob(str(path.relative_to(anchor))) if _is_run(each))
        wanted = "matches no folder of a run"
    else:
        found = sorted(each for each in path.glob("[!.]*") if _is_run(each))  # not .hydra
        wanted = "is neither the folder of a run nor a folder of such folders: there is no config.yaml"
    if not found and path.resolve() == into.resolve():
        what = f"runs={text} is the folder of the whole itself"
        raise FeatvizError(what, setting="runs", got=text, expected="another folder for the whole, into=FOLDER")
    if not found:
        beside = [other.name for other in path.parent.glob("*") if other.is_dir()]
        raise FeatvizError(f"runs={text} {wanted}", setting="runs", got=path.name, known=beside or None)
    return found


def _is_run(path: Path) -> bool:
    return (path / "config.yaml").is_file()


def read_parts(paths: Sequence[Path]) -> list[Part]:
    """The runs, in the order of their shards; FeatvizError if they are not shards of one run."""
    parts = [_part(RunFolder(path)) for path in paths]
    for part in parts:
        task = value_at(part.config, "task.name", str, "runs")
        if task != "visualize":
            what = f"{part.folder.path} is a run of task={task}"
            raise FeatvizError(what, setting="runs", got=task, expected="runs of task=visualize")
        _check_same(parts[0], part)
    return sorted(parts, key=lambda part: (part.shard.number, part.shard.parts))


def _part(folder: RunFolder) -> Part:
    config = read_config(folder.path, "runs")
    rows = {key_of(row): row for row in finished_rows(folder, damaged(folder.path) or ())}
    return Part(folder, config, Manifest.read(folder, "runs"), rows)


def _check_same(one: Part, other: Part) -> None:
    what = f"{other.folder.path} is another run than {one.folder.path}"
    if differ := differences(one.config, other.config) or one.manifest.difference(other.manifest):
        raise FeatvizError(f"{what}: {differ}", setting="runs", got=differ)
    if differ := different_inputs(read_inputs(one.folder.path), read_inputs(other.folder.path)):
        raise FeatvizError(f"{what}: other contents of {differ}", setting="runs", got=differ)


def earlier_merge(folder: RunFolder, first: Part) -> list[Part]:
    """What an earlier merge has put into the folder: one part, or none; FeatvizError for another run."""
    if not _is_run(folder.path):
        if (folder.path / "results.csv").exists():
            what = f"{folder.path} holds results.csv but no config.yaml of a run"
            raise FeatvizError(what, setting="into", got=str(folder.path), expected="another folder")
        return []
    part = _part(folder)
    _check_same(first, part)
    return [part]


def sources_of(parts: Sequence[Part]) -> dict[Key, Part]:
    """Which part each picture comes from: of several that made the same, the one that knows most of it.

    Raises:
        FeatvizError: two made it differently, or it is none of this run.
    """
    known = {(layer.name, number) for layer in parts[0].manifest.layers for number in layer.filters}
    sources: dict[Key, Part] = {}
    for part in parts:
        for key, row in part.rows.items():
            if key[:2] not in known:
                what = f"{part.folder.path} holds filter {key[1]} of {key[0]}, which its run does not make"
                raise FeatvizError(what, setting="runs", got=key[1])
            if key in sources:
                _check_agreement(key, sources[key], part)
            if key not in sources or len(row) > len(sources[key].rows[key]):
                sources[key] = part
    return sources


def _check_agreement(key: Key, one: Part, other: Part) -> None:
    """Refuse a filter that two runs made differently; how long it took does not count."""
    first, second = one.rows[key], other.rows[key]
    rows: tuple[Row, Row] = ({**first, "reason": own_reason(first)}, {**second, "reason": own_reason(second)})
    names = [name for name in rows[0] if name in rows[1] and name != "seconds"]
    pairs = {name: (_value(rows[0], name), _value(rows[1], name)) for name in names}
    differ = [f"{name} {a} and {b}" for name, (a, b) in pairs.items() if a != b]
    pictures = [inside(part.folder.path, row["image"]) for part, row in zip((one, other), rows, strict=True)]
    if not differ and not _same_picture(*pictures):
        differ = ["their pictures"]
    if not differ:
        return
    if one.batch_size != other.batch_size:
        differ.insert(0, f"batch_size {one.batch_size} and {other.batch_size}")
    told = ", ".join(differ[:2])
    what = f"filter {key[1]} of {key[0]} differs in {one.folder.path} and {other.folder.path}: {told}"
    raise FeatvizError(what, setting="runs", got=told, expected="one of them left out")


def _value(row: Row, name: str) -> str:
    return str(cast(dict[str, object], row)[name])  # as text, in which nan equals nan


def _same_picture(one: Path, other: Path) -> bool:
    """Whether two PNGs hold the same picture; what stands in their text may be more in one of them."""
    if one.is_dir() and other.is_dir():  # no picture in either
        return True
    with in_one_line("read", one), opened_png(one) as a, in_one_line("read", other), opened_png(other) as b:
        if a.mode != b.mode or a.size != b.size or not np.array_equal(np.asarray(a), np.asarray(b)):
            return False
    arrays = [path.with_suffix(".npy") for path in (one, other)]
    with in_one_line("read", arrays[0]):
        found = [read_bytes(path, MOST_BYTES) for path in arrays if path.is_file()]
    return len(set(found)) < 2
