"""ChunkResult pictures beside real ones: where a made picture's activation stands among those of photos."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
from lightning.pytorch.loggers import Logger
from omegaconf import DictConfig
from PIL import Image

from featviz.errors import FeatvizError, nearest
from featviz.models.model import Model
from featviz.photos.exemplars import PERCENTILES
from featviz.photos.tables import (
    EXEMPLARS,
    STATISTICS,
    checksum,
    describe_statistics,
    patch_cell,
    read_table,
    write_sheets,
)
from featviz.results.files import file_name, write_table
from featviz.results.folder import RunFolder, load_tile, read_rows
from featviz.results.loggers import log_picture
from featviz.results.rows import Row, columns_of, heading, outcome
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


class ExemplarComparison:
    """The folder of a run of task=exemplars, beside which pictures are shown.

    Raises:
        FeatvizError: it is none.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder).expanduser()
        self._rows = read_table(self.folder / "statistics.csv", STATISTICS)
        self._patches: dict[Key, list[dict[str, str]]] = {}
        for row in read_table(self.folder / "exemplars.csv", EXEMPLARS):
            self._patches.setdefault((row["module"], int(row["filter"])), []).append(row)
        self._statistics = {(row["module"], int(row["filter"]), row["figure"]): self._read(row) for row in self._rows}
        self._figures: dict[str, str] = {}  # by module

    def check(self, model: Model, module: str, filters: Iterable[int], figure: str | None, objective: str) -> None:
        """Refuse pictures that have nothing to be compared with: of another network, layer or filter.

        ``figure`` is what the pictures' activation is of a feature map: ``mean``, ``max``, or None where it is neither.
        """
        of, first = f"exemplars={self.folder}", self._rows[0]
        if first["model"] != model.name:
            raise FeatvizError(f"{of} was made with model {first['model']}; this run's is {model.name}")
        if first["network"] != checksum(model.network):
            told = f"{first['weights']}; this run's: {model.weights}"
            raise FeatvizError(f"{of} was made with other weights of {model.name} (its weights: {told})")
        modules = list(dict.fromkeys(row["module"] for row in self._rows))
        if module not in modules:
            raise FeatvizError(f"{of} was made with layer {', '.join(modules)}; this run's is {module}")
        numbers = list(dict.fromkeys(int(row["filter"]) for row in self._rows if row["module"] == module))
        for number in filters:
            if figure and number not in numbers:
                known = nearest(str(number), map(str, numbers))
                raise FeatvizError(f"{of} was made without filter {number} of {module}; {known}")
        if figure is None:
            raise FeatvizError(f"{of}: the pictures of objective={objective} are not those of one filter each")
        self._figures[module] = figure

    def compared(self, row: Row) -> Row:
        """The row with ``natural_*`` and ``percentile``."""
        usual = self._statistics[row["module"], row["filter"], self._figures[row["module"]]]
        found = cast(Row, {**row, "natural_max": usual.percentiles[-1]})
        found["natural_mean"], found["natural_std"] = usual.mean, usual.std
        if row["status"] != "nan":
            found["percentile"] = round(usual.percentile(row["activation"]), 2)
        return found

    def beside(self, rows: Sequence[Row], folder: RunFolder | None, loggers: Sequence[Logger] = ()) -> list[Row]:
        """The rows compared; also in the folder's table, with sheets, which the loggers get too."""
        compared = [self.compared(row) for row in rows]
        if folder is None or not rows:
            return compared
        kept = {_key(row): row for row in read_rows(folder.path)} | {_key(row): row for row in compared}
        write_table(folder.path / "results.csv", columns_of(kept.values()), list(kept.values()))
        for layer in dict.fromkeys(row["layer"] for row in compared):
            sheets = self._sheets(folder.path, layer, [row for row in compared if row["layer"] == layer])
            for name, sheet in sheets.items():
                for logger in loggers:
                    log_picture(logger, name, sheet)
        return compared

    def _sheets(self, folder: Path, layer: str, rows: Sequence[Row]) -> Mapping[str, Image.Image]:
        """Each picture beside what the strongest photos show."""
        ordered = sorted(rows, key=lambda row: (row["filter"], row["variant"]))
        lines = [(self._words(row), [_made(folder, row), *self._real(row)]) for row in ordered]
        photos = self._rows[0]["photos"]
        title = f"{heading(rows)}: made, and what the strongest of {photos} photos show"
        columns = ["made", *map(str, range(1, max(len(cells) for _, cells in lines)))]
        return write_sheets(folder, f"natural_{file_name(layer)}", lines, columns, title)

    def _words(self, row: Row) -> str:
        usual = self._statistics[row["module"], row["filter"], self._figures[row["module"]]]
        return describe_statistics(subject_of(row), usual.mean, usual.std, usual.percentiles)

    def _real(self, row: Row) -> list[Cell]:
        return [patch_cell(self.folder, patch) for patch in self._patches.get((row["module"], row["filter"]), [])]

    @staticmethod
    def _read(row: Mapping[str, str]) -> FilterStatistics:
        try:
            percentiles = tuple(float(row[f"p{percent}"]) for percent in PERCENTILES)
            return FilterStatistics(float(row["mean"]), float(row["std"]), percentiles)
        except ValueError as error:
            raise FeatvizError(f"statistics.csv of exemplars holds what is no number: {error}") from error


def exemplar_comparison(cfg: DictConfig, planned: Plan) -> ExemplarComparison | None:
    """The folder of the setting ``exemplars``, if it is given; refused where it does not fit what is planned."""
    if not cfg.get("exemplars"):
        return None
    comparison = ExemplarComparison(str(cfg.exemplars))
    for layer in planned.layers:
        figure = planned.method.objective(layer=layer.name, filters=layer.filters[:1]).statistic
        module = planned.traced.resolve(layer.name).name
        comparison.check(planned.model, module, layer.filters, figure, cfg.objective.name)
    return comparison


def _made(folder: Path, row: Row) -> Cell:
    percentile = row.get("percentile")
    told = outcome(row) if percentile is None else f"{outcome(row)}, percentile {percentile:g}"
    return Cell(load_tile(folder, row), told, row["status"] != "ok")


def _key(row: Row) -> tuple[str, int, int]:
    return row["layer"], row["filter"], row["variant"]
