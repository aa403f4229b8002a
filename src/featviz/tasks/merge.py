"""The task that puts the folders of a run's shards together."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from glob import has_magic
from itertools import groupby
from pathlib import Path
from typing import cast

import numpy as np
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, ListConfig
from PIL import Image

from featviz.config.compose import in_sweep
from featviz.errors import FeatvizError, nearest
from featviz.results.files import write_file, write_table
from featviz.results.folder import RunFolder
from featviz.results.rows import Row, columns_of, key_of
from featviz.runs.build import build_run
from featviz.runs.exemplar_comparison import exemplar_comparison
from featviz.runs.plan import Plan, make_plan
from featviz.runs.process import run_environment
from featviz.runs.progress import RunProgress
from featviz.runs.response_matrix import draw_response_matrices
from featviz.runs.resume import differences, finished_rows, read_config
from featviz.runs.run import Shard
from featviz.runs.worker import finish_folder, start_folder

log = logging.getLogger(__name__)

Key = tuple[str, int, int]


@dataclass(frozen=True)
class Part:
    """A run folder with what is finished in it."""

    folder: RunFolder
    cfg: DictConfig
    rows: dict[Key, Row]

    @property
    def shard(self) -> Shard:
        """Its share of the run's chunks."""
        return Shard.read(self.cfg.shard)


def run(cfg: DictConfig) -> None:
    """Put the folders of ``runs`` together in the run's folder; what they lack is said."""
    if in_sweep():
        raise FeatvizError("task=merge runs once; expected no -m and no values to sweep over")
    folder = RunFolder(HydraConfig.get().runtime.output_dir)
    rows = merge(list(cfg.runs) if isinstance(cfg.runs, ListConfig) else [str(cfg.runs)], folder)
    counts = {status: sum(row["status"] == status for row in rows) for status in ("ok", "dead", "nan")}
    log.info("%s: %s", folder.path, ", ".join(f"{count} {status}" for status, count in counts.items() if count))


@run_environment()
def merge(runs: Sequence[str], folder: RunFolder) -> list[Row]:
    """Put shards of one run into ``folder``, which may hold some of them already; their own folders stay as they are.

    Raises:
        FeatvizError: ``runs`` names no runs, or different ones, or two that made the same filter differently.
    """
    parts = _parts(find_runs(runs, folder.path))
    already = _already(folder, parts[0])
    whole = _whole([*already, *parts][0].cfg)
    plan = make_plan(build_run(whole))
    comparison = exemplar_comparison(plan)
    sources = _sources([*already, *parts], plan)
    rows = RunProgress(plan, folder, [part.rows[key] for key, part in sources.items()]).ordered()
    changed = not already or str(list(already[0].rows.values())) != str(rows)  # as text, in which nan equals nan
    loggers = start_folder(plan.run, folder, fresh=not already) if changed else []
    _copy(sources, parts, folder)
    write_table(folder.path / "results.csv", columns_of(rows), rows)
    folder.write_grids()
    if changed:
        draw_response_matrices(plan, folder, rows, loggers)
    if comparison:
        rows = comparison.add_to(rows, folder, loggers)
    finish_folder(plan.run, loggers, rows)
    _tell_missing(plan, rows, parts, folder)
    return rows


def find_runs(texts: Iterable[str], into: Path) -> list[Path]:
    """The run folders that paths, patterns and the folders of sweeps name, each once, without ``into`` itself."""
    found = {path.resolve(): path for text in texts for path in _found(str(text), into)}
    found.pop(into.resolve(), None)
    if not found:
        raise FeatvizError("runs is empty; expected the folders of shards, 'runs=[FOLDER,FOLDER]' or runs='FOLDER/*'")
    return list(found.values())


def _found(text: str, into: Path) -> list[Path]:
    path = Path(text).expanduser()
    if _is_run(path) and path.resolve() != into.resolve():  # the whole may lie above its shards
        return [path]
    if has_magic(text):
        anchor = Path(path.anchor)
        found = sorted(each for each in anchor.glob(str(path.relative_to(anchor))) if _is_run(each))
        wanted = "matches no folder of a run"
    else:
        found = sorted(each for each in path.glob("[!.]*") if _is_run(each))  # not .hydra
        wanted = "is neither the folder of a run nor a folder of such folders: there is no config.yaml"
    if not found:
        beside = [other.name for other in path.parent.glob("*") if other.is_dir()]
        raise FeatvizError(f"runs={text} {wanted}" + (f"; {nearest(path.name, beside)}" if beside else ""))
    return found


def _is_run(path: Path) -> bool:
    return (path / "config.yaml").is_file()


def _parts(paths: Sequence[Path]) -> list[Part]:
    """The runs, in the order of their shards; FeatvizError if they are not shards of one run."""
    parts = [_part(RunFolder(path)) for path in paths]
    for part in parts:
        task = part.cfg.task.name
        if task != "visualize":
            raise FeatvizError(f"{part.folder.path} is a run of task={task}; expected runs of task=visualize")
        _check_same(parts[0], part)
    return sorted(parts, key=lambda part: (part.shard.number, part.shard.parts))


def _part(folder: RunFolder) -> Part:
    rows = {key_of(row): row for row in finished_rows(folder)}
    return Part(folder, read_config(folder, "runs"), rows)


def _check_same(one: Part, other: Part) -> None:
    if differ := differences(one.cfg, other.cfg):
        raise FeatvizError(f"{other.folder.path} is another run than {one.folder.path}: {differ}")


def _whole(cfg: DictConfig) -> DictConfig:
    """The configuration of the run that a shard is of."""
    whole = cfg.copy()
    whole.shard = whole.resume = None
    whole.pop("defaults", None)  # written anew, with the folder that it is run from
    return whole


def _already(folder: RunFolder, first: Part) -> list[Part]:
    """What an earlier merge has put into the folder: one part, or none; FeatvizError for another run."""
    if not _is_run(folder.path):
        if (folder.path / "results.csv").exists():
            raise FeatvizError(f"{folder.path} holds results.csv but no config.yaml of a run; expected another folder")
        return []
    part = _part(folder)
    _check_same(first, part)
    return [part]


def _sources(parts: Sequence[Part], plan: Plan) -> dict[Key, Part]:
    """Which part each picture comes from: of several that made the same, the one that knows most of it.

    Raises:
        FeatvizError: two made it differently, or it is none of this run.
    """
    known = {(layer.name, number) for layer in plan.layers for number in layer.filters}
    sources: dict[Key, Part] = {}
    for part in parts:
        for key, row in part.rows.items():
            if key[:2] not in known:
                raise FeatvizError(f"{part.folder.path} holds filter {key[1]} of {key[0]}, which its run does not make")
            if key in sources:
                _check_agreement(key, sources[key], part)
            if key not in sources or len(row) > len(sources[key].rows[key]):
                sources[key] = part
    return sources


def _check_agreement(key: Key, one: Part, other: Part) -> None:
    """Refuse a filter that two runs made differently; how long it took does not count."""
    rows = one.rows[key], other.rows[key]
    names = [name for name in rows[0] if name in rows[1] and name != "seconds"]
    pairs = {name: (_value(rows[0], name), _value(rows[1], name)) for name in names}
    differ = [f"{name} {a} and {b}" for name, (a, b) in pairs.items() if a != b]
    if not differ and not _same_picture(one.folder.path / rows[0]["image"], other.folder.path / rows[1]["image"]):
        differ = ["their pictures"]
    if not differ:
        return
    if one.cfg.batch_size != other.cfg.batch_size:
        differ.insert(0, f"batch_size {one.cfg.batch_size} and {other.cfg.batch_size}")
    raise FeatvizError(
        f"filter {key[1]} of {key[0]} differs in {one.folder.path} and {other.folder.path}: {', '.join(differ[:2])}; "
        "expected one of them left out"
    )


def _value(row: Row, name: str) -> str:
    return str(cast(dict[str, object], row)[name])  # as text, in which nan equals nan


def _same_picture(one: Path, other: Path) -> bool:
    """Whether two PNGs hold the same picture; what stands in their text may be more in one of them."""
    if one.is_dir() and other.is_dir():  # no picture in either
        return True
    with Image.open(one) as a, Image.open(other) as b:
        if a.mode != b.mode or a.size != b.size or not np.array_equal(np.asarray(a), np.asarray(b)):
            return False
    arrays = [path.with_suffix(".npy") for path in (one, other)]
    found = [path.read_bytes() for path in arrays if path.exists()]
    return len(set(found)) < 2


def _copy(sources: dict[Key, Part], parts: Sequence[Part], folder: RunFolder) -> None:
    """Bring pictures, checkpoints and TensorBoard's files into the folder; what is there already stays."""
    for key, part in sources.items():
        image = part.rows[key]["image"]
        if image and part.folder.path.resolve() != folder.path.resolve():
            for name in (image, str(Path(image).with_suffix(".npy"))):
                _bring(part.folder.path / name, folder.path / name)
    for part in parts:
        for path in sorted((part.folder.path / "checkpoints").rglob("*.ckpt")):
            _bring_newer(path, folder.path / path.relative_to(part.folder.path))
        for path in sorted((part.folder.path / "tensorboard").glob("*tfevents*")):
            # Machines of a cluster may have the same name and process numbers.
            _bring_newer(path, folder.path / "tensorboard" / f"{path.name}.{part.shard.number}_{part.shard.parts}")


def _bring(path: Path, to: Path) -> None:
    if path.exists() and not (to.exists() and to.read_bytes() == path.read_bytes()):
        write_file(to, path.read_bytes())


def _bring_newer(path: Path, to: Path) -> None:
    """Copy a file that may have grown since an earlier merge; its time is kept."""
    if not to.exists() or path.stat().st_mtime_ns > to.stat().st_mtime_ns:
        write_file(to, path.read_bytes())
        shutil.copystat(path, to)


def _tell_missing(plan: Plan, rows: Sequence[Row], parts: Sequence[Part], folder: RunFolder) -> None:
    """Say which shards are not among the runs, and which filters have not all their pictures."""
    done = RunProgress(plan, None, list(rows)).finished
    missing = {layer.name: sorted({n for n in layer.filters if (layer.name, n) not in done}) for layer in plan.layers}
    if not any(missing.values()):
        return
    if shards := missing_shards([part.shard for part in parts]):
        log.warning("missing: shard %s", ", ".join(shards))
    for layer, numbers in missing.items():
        if numbers:
            log.warning("missing: %s filter%s %s", layer, "s" * (len(numbers) > 1), in_ranges(numbers))
    if len(sizes := dict.fromkeys(part.cfg.batch_size for part in parts)) > 1:
        log.warning("batch_size differs (%s): such shards do not add up to the whole", ", ".join(map(str, sizes)))
    log.warning("merge again when they are made, or make them here with resume=%s", folder.path)


def missing_shards(shards: Sequence[Shard]) -> list[str]:
    """``0/3`` and ``2/3`` lack ``1/3``; of different divisions nothing can be said."""
    divisions = {shard.parts for shard in shards}
    if len(divisions) > 1:
        return []
    (parts,) = divisions
    return [str(shard) for number in range(parts) if (shard := Shard(number, parts)) not in shards]


def in_ranges(numbers: Sequence[int]) -> str:
    """``[0, 1, 2, 7]`` as ``0-2, 7``."""
    runs = [[n for _, n in run] for _, run in groupby(enumerate(numbers), lambda item: item[1] - item[0])]
    return ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)
