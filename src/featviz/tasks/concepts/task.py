"""The task that finds concepts: directions that a layer's activations of photos are sums of."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from shlex import quote

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from featviz.config.build import build_model
from featviz.config.selection import layer_names
from featviz.models.dictionaries import Dictionary
from featviz.models.model import Model
from featviz.models.tracing import trace
from featviz.photos.stream import evenly_spaced
from featviz.results.completion import write_checksums
from featviz.runs.build import hardware_of
from featviz.tasks.concepts.classes import check_ways, classes_of, files_of_classes, with_importance
from featviz.tasks.concepts.find import Found, collect, find_concepts
from featviz.tasks.concepts.tables import ConceptRow, DictionaryRow, concept_rows, dictionary_row, write_concepts
from featviz.tasks.photo_folder import configured_photos, log_skipped
from featviz.tasks.same_run import is_finished

log = logging.getLogger(__name__)

SHOWN = 8  # concepts, in the command that makes their pictures


@dataclass(frozen=True, repr=False)
class Concepts:
    """``dictionaries`` by the names of layers, with that of the class where there are some: ``layer3 goldfish``.

    ``lines`` and ``rows`` are those of ``dictionaries.csv`` and ``concepts.csv``, ``skipped`` {file: reason}.
    """

    dictionaries: dict[str, Dictionary]
    lines: list[DictionaryRow]
    rows: list[ConceptRow]
    skipped: dict[Path, str]

    def __repr__(self) -> str:
        """The dictionaries, and how well each describes its layer."""
        told = zip(self.dictionaries.items(), self.lines, strict=True)
        return f"Concepts({'; '.join(f'{name}: {each!r}, R2 {line.r2:.3f}' for (name, each), line in told)})"


def run(cfg: DictConfig) -> None:
    """Find them, and write dictionaries and tables into the run's folder."""
    folder = Path(HydraConfig.get().runtime.output_dir)
    model = build_model(cfg)
    if is_finished(cfg, folder, model):
        log.info("%s: all there", folder)
        return
    for line in concepts(cfg, folder, model).lines:
        name = " ".join(filter(None, (line.layer, line.photos_of)))
        quality = f"R2 {line.r2:.3f}, {line.l0:.1f} at a position, {line.dead} dead"
        log.info("%s: %d concepts by %s: %s", name, line.concepts, line.method, quality)
        log.info("for their pictures: python -m featviz %s", _command(line, folder))


def _command(line: DictionaryRow, folder: Path) -> str:
    """What is typed to visualize concepts: with the model as it was typed here."""
    model = [typed for typed in HydraConfig.get().overrides.task if typed.startswith("model")]
    first = f"filters=0-{min(line.concepts, SHOWN) - 1}"
    return " ".join(quote(typed) for typed in (*model, f"layer={line.layer}@{folder / line.file}", first))


def concepts(cfg: DictConfig, folder: Path | None = None, model: Model | None = None) -> Concepts:
    """Find them; ``model`` takes the place of ``cfg.model``. Without a folder nothing is written."""
    files = configured_photos(cfg.data)
    files = evenly_spaced(files, min(cfg.positions, cfg.limit or len(files)))
    model = model or build_model(cfg)
    found, skipped = _found(cfg, model, files)
    log_skipped(skipped, "skipped.csv")
    dictionaries = {each.name: each.dictionary for each in found}
    lines, rows = [dictionary_row(each, model) for each in found], [row for each in found for row in concept_rows(each)]
    if folder:
        write_concepts(folder, found, lines, rows, skipped)
        write_checksums(folder)
    return Concepts(dictionaries, lines, rows, skipped)


def _found(cfg: DictConfig, model: Model, files: Sequence[Path]) -> tuple[list[Found], dict[Path, str]]:
    """The concepts of all layers, in all photos or in those of each class; and photos that could not be used."""
    device, traced, layers = hardware_of(cfg.trainer).devices[0], trace(model), layer_names(cfg)
    classes = classes_of(cfg, traced, model)
    if not classes:
        collected = collect(cfg, model, traced, layers, files, device)
        return find_concepts(cfg, traced, collected, device), collected.skipped
    check_ways(layers, traced, model)
    found, skipped = list[Found](), dict[Path, str]()
    for number, own in files_of_classes(cfg, model, traced, files, classes, device).items():
        collected = collect(cfg, model, traced, layers, own, device)
        of_class = find_concepts(cfg, traced, collected, device, classes[number])
        found += [with_importance(each, number, model, traced, own, device) for each in of_class]
        skipped |= collected.skipped
    return found, skipped
