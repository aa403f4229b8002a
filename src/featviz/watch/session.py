"""The looks at one training: when there is time for one, whose pictures are made, and where they go."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from lightning.pytorch.loggers import Logger
from lightning.pytorch.utilities import rank_zero_info
from torch import nn

from featviz.errors import FeatvizError, one_line
from featviz.results.rows import Row
from featviz.runs.new_folder import made_alone
from featviz.runs.plan import LayerPlan
from featviz.runs.progress import duration
from featviz.runs.python_calls import one_at_a_time
from featviz.watch.budget import Budget, Costs
from featviz.watch.changing import Changing
from featviz.watch.maker import Looked, Maker
from featviz.watch.networks import watched_network
from featviz.watch.record import Moment, Record
from featviz.watch.settings import WatchSettings
from featviz.watch.untouched import untouched

log = logging.getLogger(__name__)


class Session:
    """All looks at one training.

    Args:
        settings: what is asked for.
        module: what is trained.
        loggers: those of the training.
        folder: that of an earlier part of the same training, which goes on.

    Raises:
        FeatvizError: something of this does not exist, or there is nowhere to put what is found.
    """

    def __init__(
        self, settings: WatchSettings, module: nn.Module, loggers: Sequence[Logger], folder: Path | None = None
    ) -> None:
        if not loggers and not settings.output:
            what = "nothing of the watch would be kept: the training has no logger, and output is null"
            raise FeatvizError(what, setting="output", expected="output=FOLDER, or a logger")
        self.settings = settings
        self._module = module
        where, network = watched_network(module, settings.network)
        self.budget = Budget(settings.budget)
        self._changing, self._last = Changing(), dict[tuple[str, int], int]()
        self._looks, self._told = 0, set[str]()
        with untouched():
            self.maker = Maker(settings, network)
            self.costs = {layer.name: Costs() for layer in self.maker.layers}
            self.look_costs = 0.0
            if settings.budget is not None:
                self._measure(network)
            self.folder = (folder or _new_folder(settings.output)) if settings.output else None
            self.record = Record(self.folder, loggers, self.maker.cfg, settings.by_steps)
        rank_zero_info(f"watching {where}: {self._describe()}")
        self.budget = Budget(settings.budget)  # from here on: building and measuring are done once

    def look(self, moment: Moment) -> list[Row]:
        """Make as many pictures as there is time for; return their rows.

        What goes wrong is told in one line, each time something new goes wrong, and the training goes on.
        """
        with self.budget.spending():
            try:
                return self._look(moment)
            except Exception as error:  # whatever it is: the training is none of it
                self._tell(f"watch: no pictures at {moment}: {one_line(error)}")
                return []

    def finish(self) -> None:
        """Write the pages of the run folder."""
        try:
            with untouched():
                self.record.finish()
        except Exception as error:
            self._tell(f"watch: the pages of {self.folder} are not written: {one_line(error)}")

    @one_at_a_time
    def _look(self, moment: Moment) -> list[Row]:
        layers = sorted(self.maker.layers, key=self._last_look)
        if not self._within_budget(layers[0], self._shown(layers[0]), self.look_costs):
            return []
        began, rows, making = time.perf_counter(), list[Row](), 0.0
        with untouched():
            _, network = watched_network(self._module, self.settings.network)
            looked = self.maker.look_at(network, str(moment))
            self._looks += 1
            for layer, batch in self._batches(looked, layers):
                chosen, since = self._within_budget(layer, batch), time.perf_counter()
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
        return rows

    def _note(self, layer: LayerPlan, count: int, since: float) -> float:
        """Note how long so many pictures have taken, and return it."""
        seconds = time.perf_counter() - since
        self.costs[layer.name].note(count, seconds)
        return seconds

    def _within_budget(self, layer: LayerPlan, filters: Sequence[int], besides: float = 0.0) -> list[int]:
        """As many of the filters as there is time for, ``besides`` so many seconds, with those that belong together."""
        rest = self.budget.left - besides
        most = self.costs[layer.name].most_within(rest, len(filters)) if rest > 0 else 0
        return list(filters[: most // layer.together * layer.together])

    def _shown(self, layer: LayerPlan) -> Sequence[int]:
        """Filters, as many as a look shows at the same time."""
        return self.maker.batches(layer, layer.filters[: self.settings.changing])[0]

    def _filters(self, looked: Looked, layer: LayerPlan) -> list[int]:
        """Those to be shown, the longest unseen first."""
        if count := self.settings.changing:
            return self._changing.pick(layer.name, looked.responses(layer), count)
        return sorted(layer.filters, key=lambda number: self._last.get((layer.name, number), 0))

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
        units = sum(len(batch) for _, batch in batches)
        what = f"{units} unit{'s' * (units > 1)} of {', '.join(settings.layers)} by recipe={settings.recipe}"
        if settings.budget is None:
            return what
        cost = self.look_costs + sum(self.costs[layer.name].of(len(batch)) for layer, batch in batches)
        often = f"once in {duration(cost / settings.budget)} of training"
        return f"{what}, which take about {cost:.1f} s; budget={settings.budget:g} allows them {often}"

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
