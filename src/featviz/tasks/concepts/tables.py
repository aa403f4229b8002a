"""The files of task=concepts: dictionaries, and what they and their concepts are like, in tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from featviz.models.dictionaries import Dictionary, write_dictionary
from featviz.photos.concepts.quality import Quality
from featviz.photos.table_rows import SkippedRow
from featviz.results.files import file_name, write_file, write_records


@dataclass(frozen=True)
class DictionaryRow:
    """A line of dictionaries.csv: how well the concepts of a layer describe its activations.

    ``r2`` is the share of their variance that the concepts explain, ``l0`` how many concepts a position has, and
    ``dead`` how many concepts none has. ``file`` lies in the run's folder.
    """

    model: str
    weights: str
    network: str
    layer: str
    module: str
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
    is not zero; ``mean`` and ``max`` are of its codes.
    """

    layer: str
    module: str
    concept: int
    share: float
    active: float
    mean: float
    max: float


def concept_rows(layer: str, dictionary: Dictionary, quality: Quality) -> list[ConceptRow]:
    """The lines of a layer's concepts."""
    assert dictionary.source is not None
    module = f"{dictionary.source.module}@{dictionary.label}"
    figures = (quality.shares, quality.active, quality.means, quality.largest)
    lines = zip(*(each.tolist() for each in figures), strict=True)
    return [ConceptRow(layer, module, number, *line) for number, line in enumerate(lines)]


def dictionary_file(layer: str, method: str) -> str:
    """The name of a layer's dictionary in the run's folder."""
    return f"{file_name(layer)}_{method}.safetensors"


def write_dictionaries(
    folder: Path,
    dictionaries: Mapping[str, Dictionary],
    lines: Sequence[DictionaryRow],
    concepts: Sequence[ConceptRow],
    skipped: Mapping[Path, str],
) -> None:
    """Write all files."""
    for layer, dictionary in dictionaries.items():
        write_file(folder / dictionary_file(layer, dictionary.method), write_dictionary(dictionary))
    write_records(folder / "dictionaries.csv", DictionaryRow, lines)
    write_records(folder / "concepts.csv", ConceptRow, concepts)
    if skipped:
        rows = [SkippedRow(str(file), reason) for file, reason in skipped.items()]
        write_records(folder / "skipped.csv", SkippedRow, rows)
