"""The looks at one training: when there is time for one, whose pictures are made, and where they go."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from math import inf
from pathlib import Path

from lightning.pytorch.loggers import Logger
from lightning.pytorch.utilities import rank_zero_info
from torch import nn

from featviz.errors import FeatvizError, one_line
from featviz.results.rows import Row, layer_name
from featviz.runs.new_folder import made_alone
from featviz.runs.plan import LayerPlan
from featviz.runs.progress import duration
from featviz.runs.python_calls import one_at_a_time
from featviz.shapes import Shape
from featviz.watch.batches import PictureShape
from featviz.watch.budget import Budget, Costs
from featviz.watch.changing import Changing
from featviz.watch.maker import Looked, Maker
from featviz.watch.networks import watched_network
from featviz.watch.record import Moment, Record
from featviz.watch.settings import WatchSettings
from featviz.watch.untouched import untouched

log = logging.getLogger(__name__)

PAGE = "index.html"


class Session:
    """All looks at one training.

    Args:
        settings: what is asked for.
        module: what is trained.
        loggers: those of the training.
        folder: that of an earlier part of the same training, which goes on.
        pictures: the shape (C, H, W) of the training's.

    Raises:
        FeatvizError: something of this does not exist, or there is nowhere to put what is found.
    """

    def __init__(
        self,
        settings: WatchSettings,
        module: nn.Module,
        loggers: Sequence[Logger],
        folder: Path | None = None,
        pictures: PictureShape | None = None,
    ) -> None:
        if not loggers and not settings.output:
            what = "nothing of the watch would be kept: the training has no logger, and output is null"
            raise FeatvizError(what, setting="output", expected="output=FOLDER, or a logger")
        self.settings = settings
        self._module = module
        where, network = watched_network(module, settings.network)
        self.budget = Budget(settings.budget)
        self._changing, self._last = Changing(), dict[tuple[str, int], int]()
        self._looks, self._pictures, self._told = 0, 0, set[str]()
        self._seen: set[tuple[str, int]] | None = None  # at the last look that was due; None before any
        with untouched():
            self.maker = Maker(settings, network, pictures)
            self.costs = {layer.name: Costs() for layer in self.maker.layers}
            self.look_costs = 0.0
            if settings.budget is not None:
                self._measure(network)
            self.folder = (folder or _new_folder(settings.output)) if settings.output else None
            self.record = Record(self.folder, loggers, self.maker.cfg, settings.by_steps)
        rank_zero_info(f"watching {where}: {self._describe()}")
        self.budget = Budget(settings.budget)  # from here on: building and measuring are done once

    def look(self, moment: Moment) -> list[Row]:
        """Make as many pictures as there is time for, at the first look all; return their rows.

        What goes wrong is told in one line, each time something new goes wrong, and the training goes on.
        """
        whole, self._seen = self._looks == 0, set()
        return self._guarded(moment, whole)

    def finish(self, moment: Moment | None = None) -> None:
        """End: show what the last look that was due had no time for, write the pages, and tell what there is.

        Args:
            moment: up to which the training has come.
        """
        if self._seen is not None and moment is not None:
            self._guarded(moment, whole=True)
        try:
            with untouched():
                self.record.finish()
        except Exception as error:
            self._tell(f"watch: the pages of {self.folder} are not written: {one_line(error)}")
        rank_zero_info(f"watched: {self._summary()}")

    def _guarded(self, moment: Moment, whole: bool) -> list[Row]:
        with self.budget.spending():
            try:
                return self._look(moment, whole)
            except Exception as error:  # whatever it is: the training is none of it
                self._tell(f"watch: no pictures at {moment}: {one_line(error)}")
                return []

    @one_at_a_time
    def _look(self, moment: Moment, whole: bool) -> list[Row]:
        """Make all pictures that are missing at this look, or as many as there is time for."""
        layers = sorted(filter(self._is_missing, self.maker.layers), key=self._last_look)
        if not layers or not self._within(self._left(whole) - self.look_costs, layers[0], self._shown(layers[0])):
            return []
        began, rows, making = time.perf_counter(), list[Row](), 0.0
        with untouched():
            _, network = watched_network(self._module, self.settings.network)
            looked = self.maker.look_at(network, str(moment))
            self._looks += 1
            for layer, batch in self._batches(looked, layers):
                chosen, since = self._within(self._left(whole), layer, batch), time.perf_counter()
                if not chosen:  # others wait, too: cheaper ones would use up what is saved for it
                    break
                rows += self._make(looked, layer, chosen, moment)
                making += self._note(layer, len(chosen), since)
            self.record.write_network(looked.plan)
        self.look_costs = time.perf_counter() - began - making
        return rows

    def _batches(self, looked: Looked, layers: Sequence[LayerPlan]) -> Iterator[tuple[LayerPlan, list[int]]]:
        """The filters that are to be shown of each layer, as many as are made at the same time."""
        for layer in layers:
            yield from ((layer, batch) for batch in self.maker.batches(layer, self._filters(looked, layer)))

    def _make(self, looked: Looked, layer: LayerPlan, filters: list[int], moment: Moment) -> list[Row]:
        rows = self.record.add(self.maker.make(looked, layer, filters), moment)
        self._last |= {(layer.name, number): self._looks for number in filters}
        self._pictures += len(rows)
        if self._seen is not None:
            self._seen |= {(layer.name, number) for number in filters}
        return rows

    def _note(self, layer: LayerPlan, count: int, since: float) -> float:
        """Note how long so many pictures have taken, and return it."""
        seconds = time.perf_counter() - since
        self.costs[layer.name].note(count, seconds)
        return seconds

    def _left(self, whole: bool) -> float:
        """Seconds that there are for pictures."""
        return inf if whole else self.budget.left

    def _within(self, seconds: float, layer: LayerPlan, filters: Sequence[int]) -> list[int]:
        """As many of the filters as there is time for, with those that belong together."""
        most = self.costs[layer.name].most_within(seconds, len(filters)) if seconds > 0 else 0
        return list(filters[: most // layer.together * layer.together])

    def _is_missing(self, layer: LayerPlan) -> bool:
        """Whether filters of the layer have not been shown at the last look that was due."""
        count = sum(name == layer.name for name, _ in self._seen or ())
        return count < min(self.settings.changing or inf, len(layer.filters))

    def _shown(self, layer: LayerPlan) -> Sequence[int]:
        """Filters, as many as a look shows at the same time."""
        return self.maker.batches(layer, layer.filters[: self.settings.changing])[0]

    def _filters(self, looked: Looked, layer: LayerPlan) -> list[int]:
        """Those to be shown, the longest unseen first."""
        if count := self.settings.changing:
            return self._changing.pick(layer.name, looked.responses(layer), count)
        missing = [number for number in layer.filters if (layer.name, number) not in (self._seen or ())]
        return sorted(missing, key=lambda number: self._last.get((layer.name, number), 0))

    def _last_look(self, layer: LayerPlan) -> int:
        """The number of the look at which the filter of a layer that is longest unseen was seen."""
        return min(self._last.get((layer.name, number), 0) for number in layer.filters[: self.settings.changing])

    def _measure(self, network: nn.Module) -> None:
        """Measure what pictures cost, the first time to warm up."""
        for layer in self.maker.layers:
            looked = self.maker.look_at(network, "begin")
            for count in dict.fromkeys([layer.together, len(self._shown(layer))]):
                self.maker.seconds(looked, layer, count)
                self.costs[layer.name].note(count, self.maker.seconds(looked, layer, count))
        began = time.perf_counter()
        self.maker.look_at(network, "begin")
        self.look_costs = time.perf_counter() - began

    def _describe(self) -> str:
        """What is made of which units, and how often there is time for it."""
        settings = self.settings
        batches = [
            (layer, batch)
            for layer in self.maker.layers
            for batch in self.maker.batches(layer, layer.filters[: settings.changing])
        ]
        units, names = sum(len(batch) for _, batch in batches), [*map(layer_name, settings.layers)]
        where = f"layer{'s' * (len(names) > 1)} {', '.join(names)}"
        size = f"pictures for {Shape.of(self.maker.size)} px"
        what = f"{units} unit{'s' * (units > 1)} of {where} by recipe={settings.recipe}, {size}"
        if settings.budget is None:
            return what
        cost = self.look_costs + sum(self.costs[layer.name].of(len(batch)) for layer, batch in batches)
        often = f"once in {duration(cost / settings.budget)} of training (budget={settings.budget:g})"
        return f"{what}; a look takes about {cost:.1f} s: the first at once, then {often}, and one at the end"

    def _summary(self) -> str:
        """How many pictures there are, how long they took, and where they are."""
        made = f"{self._looks} look{'s' * (self._looks != 1)}, pictures: {self._pictures}"
        where = f"; {self.folder / PAGE}" if self.folder and self._pictures else ""
        return f"{made}, in {duration(self.budget.spent)} beside {duration(self.budget.training)} of training{where}"

    def _tell(self, line: str) -> None:
        """Warn in one line, of each thing once."""
        reason = line.partition(": no pictures")[2].partition(": ")[2] or line
        if reason not in self._told:
            self._told.add(reason)
            log.warning("%s", line)


def _new_folder(output: Path) -> Path:
    """The folder that was asked for, or one beside it where there is something in that."""
    if output.is_dir() and not any(output.iterdir()):
        return output
    return made_alone(output)
