"""Synthetic pictures beside real ones: where their activation stands among those of photos."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
from lightning.pytorch.loggers import Logger
from PIL import Image

from featviz.errors import FeatvizError
from featviz.photos.patches import describe_statistics, patch_cell, write_sheets
from featviz.photos.table_rows import ExemplarRow
from featviz.photos.tables import read_exemplars, read_statistics
from featviz.reading import expanded
from featviz.results.files import file_name, write_table
from featviz.results.folder import RunFolder, load_tile, read_rows
from featviz.results.loggers import log_picture
from featviz.results.rows import Row, beside_photos, columns_of, heading, is_doubtful, outcome
from featviz.results.rows import subject as subject_of
from featviz.results.sheets import Cell

if TYPE_CHECKING:
    from featviz.runs.plan import Plan

#: A module's name and the number of a filter.
Key = tuple[str, int]


@dataclass(frozen=True)
class FilterStatistics:
    """What photos make of a filter: mean, standard deviation and percentiles (0 to 100) of one figure."""

    mean: float
    std: float
    percentiles: tuple[float, ...]

    def percentile(self, value: float) -> float:
        """How many of a hundred photos have no larger value; right to 1, since it is read off the percentiles.

        100 stands for a value that no photo exceeds, 0 for one below all of them.
        """
        below = int(np.searchsorted(self.percentiles, value, side="right"))
        if below in (0, len(self.percentiles)):
            return 0.0 if below == 0 else 100.0
        first, last = self.percentiles[below - 1], self.percentiles[below]
        return below - 1 + (value - first) / (last - first)


@dataclass(frozen=True)
class Subject:
    """Whose filters pictures are of: a model's name, what its weights are called, and their checksum."""

    model: str
    weights: str
    checksum: str


class ExemplarComparison:
    """The folder of a run of task=exemplars, beside which pictures are shown.

    Raises:
        FeatvizError: it is none.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = expanded(folder)
        self._rows = read_statistics(self.folder)
        self._patches: dict[Key, list[ExemplarRow]] = {}
        for row in read_exemplars(self.folder):
            self._patches.setdefault((row.module, row.filter), []).append(row)
        self._statistics = {
            (row.module, row.filter, row.figure): FilterStatistics(row.mean, row.std, row.percentiles)
            for row in self._rows
        }
        self._figures: dict[str, str] = {}  # by module

    def check(self, network: Subject, module: str, filters: Iterable[int], figure: str | None, objective: str) -> None:
        """Refuse pictures that have nothing to be compared with: of another network, layer or filter.

        ``figure`` is what the pictures' activation is of a feature map: ``mean``, ``max``, or None where it is neither.
        """
        of, first = f"exemplars={self.folder}", self._rows[0]
        if first.model != network.model:
            what = f"{of} was made with model {first.model}; this run's is {network.model}"
            raise FeatvizError(what, setting="exemplars", got=first.model)
        if first.network != network.checksum:
            told = f"{first.weights}; this run's: {network.weights}"
            what = f"{of} was made with other weights of {network.model} (its weights: {told})"
            raise FeatvizError(what, setting="exemplars", got=first.weights)
        modules = list(dict.fromkeys(row.module for row in self._rows))
        if module not in modules:
            what = f"{of} was made with layer {', '.join(modules)}; this run's is {module}"
            raise FeatvizError(what, setting="exemplars", got=modules)
        own = [row for row in self._rows if row.module == module and figure in (None, row.figure)]
        numbers = list(dict.fromkeys(row.filter for row in own))
        for number in filters:
            if figure and number not in numbers:
                what = f"{of} was made without filter {number} of {module}"
                raise FeatvizError(what, setting="exemplars", got=number, known=map(str, numbers))
        if figure is None:
            what = f"{of}: the pictures of objective={objective} are not those of one filter each"
            raise FeatvizError(what, setting="exemplars", got=objective)
        self._figures[module] = figure

    def compared(self, row: Row) -> Row:
        """The row with ``natural_*`` and ``percentile``."""
        statistics = self._statistics[row["module"], row["filter"], self._figures[row["module"]]]
        found = cast(Row, {**row, "natural_max": statistics.percentiles[-1]})
        found["natural_mean"], found["natural_std"] = statistics.mean, statistics.std
        if row["status"] != "nan":
            found["percentile"] = round(statistics.percentile(row["activation"]), 2)
        return found

    def add_to(self, rows: Sequence[Row], folder: RunFolder | None, loggers: Sequence[Logger] = ()) -> list[Row]:
        """The rows compared; also in the folder's table, with sheets, which the loggers get too."""
        compared = [self.compared(row) for row in rows]
        if folder is None or not rows:
            return compared
        all_rows = {_key(row): row for row in read_rows(folder.path)} | {_key(row): row for row in compared}
        write_table(folder.path / "results.csv", columns_of(all_rows.values()), list(all_rows.values()))
        for layer in dict.fromkeys(row["layer"] for row in compared):
            sheets = self._sheets(folder.path, layer, [row for row in compared if row["layer"] == layer])
            for name, sheet in sheets.items():
                for logger in loggers:
                    log_picture(logger, name, sheet)
        return compared

    def _sheets(self, folder: Path, layer: str, rows: Sequence[Row]) -> Mapping[str, Image.Image]:
        """Each picture beside what the strongest photos show."""
        ordered = sorted(rows, key=lambda row: (row["filter"], row["variant"]))
        lines = [(self._label(row), [_picture_cell(folder, row), *self._patch_cells(row)]) for row in ordered]
        photos = self._rows[0].photos
        title = f"{heading(rows)}: made, and what the strongest of {photos} photos show"
        columns = ["made", *map(str, range(1, max(len(cells) for _, cells in lines)))]
        return write_sheets(folder, f"natural_{file_name(layer)}", lines, columns, title)

    def _label(self, row: Row) -> str:
        statistics = self._statistics[row["module"], row["filter"], self._figures[row["module"]]]
        return describe_statistics(subject_of(row), statistics.mean, statistics.std, statistics.percentiles)

    def _patch_cells(self, row: Row) -> list[Cell]:
        return [patch_cell(self.folder, patch) for patch in self._patches.get((row["module"], row["filter"]), [])]


def exemplar_comparison(plan: Plan) -> ExemplarComparison | None:
    """The comparison with the folder of the setting ``exemplars``, if there is one.

    Raises:
        FeatvizError: it holds other networks', layers' or filters' exemplars than those that are planned.
    """
    if not plan.run.exemplars:
        return None
    comparison, model = ExemplarComparison(plan.run.exemplars), plan.model
    subject = Subject(model.name, model.weights, model.checksum)
    for layer in plan.layers:
        figure = plan.method.objective(layer=layer.name, filters=layer.filters[:1]).statistic
        module = plan.traced.resolve(layer.name).name
        comparison.check(subject, module, layer.filters, figure, plan.run.objective)
    return comparison


def _picture_cell(folder: Path, row: Row) -> Cell:
    label = "\n".join(filter(None, (outcome(row), beside_photos(row))))
    return Cell(load_tile(folder, row), label, is_doubtful(row))


def _key(row: Row) -> tuple[str, int, int]:
    return row["layer"], row["filter"], row["variant"]
