"""The files of task=concepts: dictionaries, and what they and their concepts are like, in tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from featviz.models.dictionaries import write_dictionary
from featviz.models.model import Model
from featviz.photos.table_rows import SkippedRow
from featviz.results.files import file_name, write_file, write_records
from featviz.tasks.concepts.find import Found


@dataclass(frozen=True)
class DictionaryRow:
    """A line of dictionaries.csv: how well the concepts of a layer describe its activations.

    ``photos_of`` is the class whose photos they are of, empty for all. ``r2`` is the share of the activations' variance
    that the concepts explain, ``l0`` how many concepts a position has, and ``dead`` how many concepts none has.
    ``file`` lies in the run's folder.
    """

    model: str
    weights: str
    network: str
    layer: str
    module: str
    photos_of: str
    method: str
    concepts: int
    photos: int
    positions: int
    r2: float
    l0: float
    dead: int
    seconds: float
    file: str


@dataclass(frozen=True)
class ConceptRow:
    """A line of concepts.csv: a concept, the largest first.

    ``share`` is its part of what all concepts contribute, in squares; ``active`` the share of positions where its code
    is not zero; ``mean`` and ``max`` are of its codes. ``gradient`` and ``removal`` are its importance for the class
    ``photos_of``: by how much its output would fall without the concept by its slope, and does fall; nan without one.
    """

    layer: str
    module: str
    photos_of: str
    concept: int
    share: float
    active: float
    mean: float
    max: float
    gradient: float
    removal: float


def dictionary_row(found: Found, model: Model) -> DictionaryRow:
    """The line of a layer's concepts."""
    dictionary, quality = found.dictionary, found.quality
    assert dictionary.source is not None
    return DictionaryRow(
        model=model.name,
        weights=model.weights,
        network=model.checksum,
        layer=found.layer,
        module=dictionary.source.module,
        photos_of=found.photos_of,
        method=dictionary.method,
        concepts=dictionary.concepts,
        photos=found.photos,
        positions=found.positions,
        r2=quality.r2,
        l0=quality.l0,
        dead=quality.dead,
        seconds=found.seconds,
        file=f"{file_name('_'.join(found.name.split()))}_{dictionary.method}.safetensors",
    )


def concept_rows(found: Found) -> list[ConceptRow]:
    """The lines of the concepts of a layer."""
    dictionary, quality, importance = found.dictionary, found.quality, found.importance
    assert dictionary.source is not None
    module, nothing = f"{dictionary.source.module}@{dictionary.label}", [float("nan")] * dictionary.concepts
    figures = [each.tolist() for each in (quality.shares, quality.active, quality.means, quality.largest)]
    figures += [importance.gradient.tolist(), importance.removal.tolist()] if importance else [nothing, nothing]
    lines = enumerate(zip(*figures, strict=True))
    return [ConceptRow(found.layer, module, found.photos_of, number, *line) for number, line in lines]


def write_concepts(
    folder: Path,
    found: Sequence[Found],
    lines: Sequence[DictionaryRow],
    rows: Sequence[ConceptRow],
    skipped: Mapping[Path, str],
) -> None:
    """Write all files."""
    for each, line in zip(found, lines, strict=True):
        write_file(folder / line.file, write_dictionary(each.dictionary))
    write_records(folder / "dictionaries.csv", DictionaryRow, lines)
    write_records(folder / "concepts.csv", ConceptRow, rows)
    if skipped:
        reasons = [SkippedRow(str(file), reason) for file, reason in skipped.items()]
        write_records(folder / "skipped.csv", SkippedRow, reasons)
