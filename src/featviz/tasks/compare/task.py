"""The task that compares networks: checkpoints of one, or unlike ones."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig
from torch import Tensor

from featviz.config.build import build
from featviz.config.report import MADE_LATER, without_pages
from featviz.config.selection import layer_names
from featviz.errors import one_line
from featviz.metrics.matching import match_units
from featviz.metrics.relations.similarity import row_cosines
from featviz.metrics.relations.sources import Sources
from featviz.models.model import Model
from featviz.photos.stream import evenly_spaced
from featviz.results.completion import write_checksums
from featviz.results.files import write_file, write_records
from featviz.results.plots import layer_matrix_plot
from featviz.results.rows import layer_name
from featviz.runs.build import hardware_of
from featviz.runs.weight_relations import weight_vectors
from featviz.tasks.compare.measure import Likeness, measure
from featviz.tasks.compare.networks import Compared, configured_networks, named_networks
from featviz.tasks.compare.pictures import Pair, make_pictures, most_changed, with_pictures, write_sheets
from featviz.tasks.compare.rows import CkaRow, MatchRow
from featviz.tasks.photo_folder import configured_photos
from featviz.tasks.same_run import is_finished

log = logging.getLogger(__name__)

BATCH = 32  # photos at the same time, where batch_size is auto


@dataclass(frozen=True)
class Comparison:
    """What a comparison has found.

    Attributes:
        matches: a line for each unit of the first network and each further one of the others, by layer.
        cka: by the label of each other network, how alike layers are, (layers of the first, layers of the other).
        layers: the layers of each network by its label, in the order of the rows and columns of ``cka``.
        photos: how many were used.
    """

    matches: list[MatchRow]
    cka: dict[str, Tensor]
    layers: dict[str, list[str]]
    photos: int


def run(cfg: DictConfig) -> None:
    """Compare the networks, and write tables, plots, pictures and pages into the run's folder."""
    folder = Path(HydraConfig.get().runtime.output_dir)
    networks = configured_networks(cfg, layer_names(cfg))
    if is_finished(cfg, folder):
        log.info("%s: all there", folder)
        return
    found = compare(cfg, folder, networks)
    counts = Counter(row.status for row in found.matches)
    told = ", ".join(f"{count} {status}" for status, count in counts.most_common())
    log.info("%s: matches.csv, cka.csv, changed_*.png of %d photos: %s", folder, found.photos, told)


def compare_models(cfg: DictConfig, folder: Path | None, models: Mapping[str, Model]) -> Comparison:
    """As :func:`compare`, of networks that are handed over, by their labels; nothing is written without a folder."""
    networks = named_networks(models, cfg, layer_names(cfg))
    if folder:
        is_finished(cfg, folder)  # which refuses the folder of another run; pictures that are there stay
        return compare(cfg, folder, networks)
    with TemporaryDirectory() as path:
        other = without_pages(cfg)
        other.logger = None
        return compare(other, Path(path), networks)


def compare(cfg: DictConfig, folder: Path, networks: Sequence[Compared]) -> Comparison:
    """Compare the first network with each of the others, and write what is found into a folder."""
    files = evenly_spaced(configured_photos(cfg.data), cfg.limit)
    batch_size, options = BATCH if cfg.batch_size == "auto" else cfg.batch_size, cfg.compare
    measured = measure(networks, files, cfg.by, batch_size, hardware_of(cfg.trainer).devices[0], options.cka)
    first, *others = networks
    pairs = [
        Pair(first, other, tuple(_rows(first, other, likeness, options)))
        for other, likeness in zip(others, measured.likeness, strict=True)
    ]
    cka = {o.label: m.cka.value() for o, m in zip(others, measured.likeness, strict=True) if options.cka}
    _write_cka(folder, first, others, cka)
    rows = [row for pair in pairs for row in pair.rows]
    write_records(folder / "matches.csv", MatchRow, rows)
    if options.pictures:
        rows = _show(cfg, folder, networks, pairs)
        write_records(folder / "matches.csv", MatchRow, rows)
        _write_pages(cfg, folder, networks)
    write_checksums(folder)
    return Comparison(rows, cka, {network.label: network.all_layers for network in networks}, measured.photos)


def _rows(first: Compared, other: Compared, likeness: Likeness, options: DictConfig) -> list[MatchRow]:
    rows = []
    for asked, other_asked in zip(first.asked, other.asked, strict=True):
        one, two = first.layer(asked), other.layer(other_asked)
        names = (other.label, other_asked, two.name)
        matches = match_units(likeness.of_units(asked), options.same, options.alike)
        of_layer = [MatchRow(asked, one.name, m.unit, *names, m.partner, m.status, m.correlation) for m in matches]
        rows += _with_weights(of_layer, first, other)
    return rows


def _with_weights(rows: list[MatchRow], first: Compared, other: Compared) -> list[MatchRow]:
    """The lines of a layer with the cosine of both units' weights, where these have the same numbers."""
    one = weight_vectors(Sources(first.model, first.traced), first.layer(rows[0].layer))
    two = weight_vectors(Sources(other.model, other.traced), other.layer(rows[0].other_layer))
    if one is None or two is None or one.shape[1] != two.shape[1]:
        return rows
    both = [row for row in rows if row.filter >= 0 and row.other_filter >= 0]
    cosines = row_cosines(one[[row.filter for row in both]], two[[row.other_filter for row in both]]).tolist()
    known = dict(zip(map(id, both), cosines, strict=True))
    return [replace(row, weights=known[id(row)]) if id(row) in known else row for row in rows]


def _show(cfg: DictConfig, folder: Path, networks: Sequence[Compared], pairs: Sequence[Pair]) -> list[MatchRow]:
    """Make the pictures of the most changed units; return all lines, with what the pictures tell."""
    first, *others = networks
    shown = [replace(pair, rows=tuple(most_changed(pair.rows, cfg.compare.pictures))) for pair in pairs]
    ours = {
        layer: [r.filter for p in shown for r in p.rows if r.layer == layer and r.filter >= 0] for layer in first.asked
    }
    pictures, rows = make_pictures(cfg, folder, first, ours), list[MatchRow]()
    for pair, few, other in zip(pairs, shown, others, strict=True):
        theirs = {
            layer: [r.other_filter for r in few.rows if r.other_layer == layer and r.other_filter >= 0]
            for layer in other.asked
        }
        of_other = make_pictures(cfg, folder, other, theirs)
        write_sheets(folder, few, pictures, of_other)
        rows += with_pictures(pair, pictures, of_other)
    return rows


def _write_cka(folder: Path, first: Compared, others: Sequence[Compared], cka: Mapping[str, Tensor]) -> None:
    rows = []
    for other in others:
        if other.label in cka and cka[other.label].numel():
            values, down, across = cka[other.label], first.all_layers, other.all_layers
            rows_of, columns_of = [*map(layer_name, down)], [*map(layer_name, across)]
            title = f"CKA of {first.label} (downwards) and {other.label}"
            write_file(folder / f"cka_{other.label}.png", layer_matrix_plot(values, rows_of, columns_of, title, "CKA"))
            rows += [
                CkaRow(down[at], other.label, across[place], value)
                for at, line in enumerate(values.tolist())
                for place, value in enumerate(line)
            ]
    if cka:
        write_records(folder / "cka.csv", CkaRow, rows)


def _write_pages(cfg: DictConfig, folder: Path, networks: Sequence[Compared]) -> None:
    """Write pages of all networks' pictures, beside each other."""
    runs = [path for network in networks if (path := folder / network.label).is_dir()]
    if not cfg.get("report") or not runs:
        return
    try:
        build(cfg.report, "report")(runs=runs, into=folder)
    except Exception as error:  # whatever it is: the comparison itself is all there
        log.warning("no pages: %s; " + MADE_LATER, one_line(error), folder)
