"""The task that puts the folders of a run's shards together, without the run's network."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import groupby
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from lightning.pytorch.loggers import Logger
from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from featviz.config.compose import in_sweep
from featviz.config.report import write_pages
from featviz.errors import FeatvizError, one_line
from featviz.reading import MOST_BYTES, inside, read_bytes
from featviz.results.completion import begin, damaged, write_checksums
from featviz.results.files import in_one_line, write_file, write_table
from featviz.results.folder import BESIDE, RunFolder
from featviz.results.frames import find_frames
from featviz.results.loggers import finish_loggers
from featviz.results.rows import Row, columns_of
from featviz.runs.build import new_loggers
from featviz.runs.exemplar_comparison import ExemplarComparison, Subject
from featviz.runs.inputs import read_inputs, write_inputs
from featviz.runs.manifest import Manifest
from featviz.runs.merged_relations import merge_relations
from featviz.runs.process import run_environment
from featviz.runs.progress import finished_filters, ordered_rows
from featviz.runs.response_matrix import draw_response_matrix, matrix_path, read_responses, write_responses
from featviz.runs.run import Shard
from featviz.runs.same_settings import Config, value_at
from featviz.runs.shards import Key, Part, earlier_merge, find_runs, read_parts, sources_of
from featviz.runs.weak_pictures import Responses, with_weak_ones
from featviz.runs.worker import Settings, hyperparameters, start_loggers, write_config

log = logging.getLogger(__name__)

NewLoggers = Callable[[Path], list[Logger]]


def run(cfg: DictConfig) -> None:
    """Put the folders of ``runs`` together in the run's folder; what they lack is said."""
    if in_sweep():
        raise FeatvizError("task=merge runs once; expected no -m and no values to sweep over")
    folder = RunFolder(HydraConfig.get().runtime.output_dir)
    texts = list(cfg.runs) if isinstance(cfg.runs, ListConfig) else [str(cfg.runs)]
    comparison = ExemplarComparison(str(cfg.exemplars)) if cfg.exemplars else None
    rows = merge(texts, folder, partial(new_loggers, cfg.logger or {}), comparison)
    write_pages(cfg.get("report"), folder.path)  # not of a folder whose merge is refused
    counts = {status: sum(row["status"] == status for row in rows) for status in ("ok", "dead", "nan")}
    log.info("%s: %s", folder.path, ", ".join(f"{count} {status}" for status, count in counts.items() if count))


@run_environment()
def merge(
    runs: Sequence[str], folder: RunFolder, new_loggers: NewLoggers, comparison: ExemplarComparison | None = None
) -> list[Row]:
    """Put shards of one run into ``folder``, which may hold some of them already; their own folders stay as they are.

    What the shards name (a network, loggers, callbacks, exemplars) is neither built nor read: loggers and exemplars are
    those that are handed over.

    Raises:
        FeatvizError: ``runs`` names no runs, or different ones, or two that made the same filter differently.
    """
    parts = read_parts(find_runs(runs, folder.path))
    already = earlier_merge(folder, parts[0])
    first = [*already, *parts][0]
    config, layers = _whole(first.config), first.manifest.layers
    sources = sources_of([*already, *parts])
    responses = {
        layer.name: read_responses([part.folder for part in (*already, *parts)], layer.name) for layer in layers
    }
    rows = ordered_rows(layers, [part.rows[key] for key, part in sources.items()])
    for layer in layers:
        rows = with_weak_ones(layer.name, rows, responses[layer.name], layer.statistic)
    if comparison:
        _check_comparison(comparison, first, rows)
    same = already and str(list(already[0].rows.values())) == str(rows)  # as text, in which nan equals nan
    broken = damaged(folder.path)
    changed = not same or broken != set()
    begin(folder.path, broken or ())
    first.manifest.write(folder)
    write_inputs(folder.path, read_inputs(first.folder.path) or {})
    if not already:
        write_config(folder, config)
    loggers = start_loggers(new_loggers(folder.path), config) if changed else []
    _copy(sources, parts, folder)
    write_table(folder.path / "results.csv", columns_of(rows), rows)
    folder.write_grids()
    merge_relations(sources, [*already, *parts], rows, folder.path)
    _draw_matrices(responses, rows, folder, loggers, changed)
    if comparison:
        rows = comparison.add_to(rows, folder, loggers)
    finish_loggers(loggers, _chosen(rows, first) if rows else {}, rows)
    _tell_missing(first.manifest, rows, parts, folder)
    write_checksums(folder.path)
    return rows


def _whole(config: Config) -> str:
    """The configuration of the run that a shard is of, as YAML."""
    whole = {name: value for name, value in config.items() if name != "defaults"}  # written anew, with its folder
    try:
        return OmegaConf.to_yaml(OmegaConf.create({**whole, "shard": None, "resume": None}))
    except OmegaConfBaseException as error:
        raise FeatvizError(f"runs: a config.yaml cannot be used: {one_line(error)}", setting="runs") from error


def _chosen(rows: Sequence[Row], part: Part) -> Settings:
    """What the run's settings were, for the HParams tab."""
    recipe, seed = value_at(part.config, "recipe.name", str, "runs"), value_at(part.config, "seed", int, "runs")
    optimizer = part.config.get("optimizer")
    rate = optimizer.get("lr") if isinstance(optimizer, dict) else None
    return hyperparameters(rows, recipe, rate if isinstance(rate, int | float) else None, part.manifest.sizes, seed)


def _check_comparison(comparison: ExemplarComparison, part: Part, rows: Sequence[Row]) -> None:
    """Refuse exemplars of other networks, layers or filters, as a run does."""
    for layer in part.manifest.layers if rows else ():
        network = Subject(rows[0]["model"], rows[0]["weights"], part.manifest.network)
        comparison.check(network, layer.module, layer.filters, layer.statistic, rows[0]["objective"])


def _draw_matrices(
    responses: Mapping[str, Responses], rows: Sequence[Row], folder: RunFolder, loggers: Sequence[Logger], changed: bool
) -> None:
    """Draw the response matrices, where they are not there already, of what the shards have kept for them."""
    for layer, known in responses.items():
        if changed or not matrix_path(folder, layer).exists():
            ours = [row["filter"] for row in rows if row["layer"] == layer and row["filter"] in known]
            if ours:
                write_responses(folder, layer, {number: known[number] for number in dict.fromkeys(ours)})
                draw_response_matrix(folder, layer, rows, known, loggers)


def _copy(sources: dict[Key, Part], parts: Sequence[Part], folder: RunFolder) -> None:
    """Bring pictures, checkpoints and TensorBoard's files into the folder; what is there already stays."""
    for key, part in sources.items():
        image = part.rows[key]["image"]
        if image and part.folder.path.resolve() != folder.path.resolve():
            frames = find_frames(part.folder.path, image).values()
            for name in (image, *(str(Path(image).with_suffix(ending)) for ending in BESIDE), *frames):
                _bring(inside(part.folder.path, name), inside(folder.path, name))
    for part in parts:
        for path in sorted((part.folder.path / "checkpoints").rglob("*.ckpt")):
            name = str(path.relative_to(part.folder.path))
            _bring_newer(inside(part.folder.path, name), inside(folder.path, name))
        for path in sorted((part.folder.path / "tensorboard").glob("*tfevents*")):
            # Machines of a cluster may have the same name and process numbers.
            name = f"tensorboard/{path.name}"
            target = f"{name}.{part.shard.number}_{part.shard.parts}"
            _bring_newer(inside(part.folder.path, name), inside(folder.path, target))


def _bring(path: Path, to: Path) -> None:
    if path.is_file() and (content := _content(path)) != (_content(to) if to.is_file() else None):
        write_file(to, content)


def _bring_newer(path: Path, to: Path) -> None:
    """Copy a file that may have grown since an earlier merge; its time is kept."""
    if not to.exists() or path.stat().st_mtime_ns > to.stat().st_mtime_ns:
        write_file(to, _content(path))
        shutil.copystat(path, to)


def _content(path: Path) -> bytes:
    with in_one_line("read", path):
        return read_bytes(path, MOST_BYTES)


def _tell_missing(manifest: Manifest, rows: Sequence[Row], parts: Sequence[Part], folder: RunFolder) -> None:
    """Say which shards are not among the runs, and which filters have not all their pictures."""
    layers = manifest.layers
    done = finished_filters(layers, rows)
    missing = {layer.name: sorted({n for n in layer.filters if (layer.name, n) not in done}) for layer in layers}
    if not any(missing.values()):
        return
    if shards := missing_shards([part.shard for part in parts]):
        log.warning("missing: shard %s", ", ".join(shards))
    for layer, numbers in missing.items():
        if numbers:
            log.warning("missing: %s filter%s %s", layer, "s" * (len(numbers) > 1), in_ranges(numbers))
    if len(sizes := dict.fromkeys(str(part.batch_size) for part in parts)) > 1:
        log.warning("batch_size differs (%s): such shards do not add up to the whole", ", ".join(sizes))
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
