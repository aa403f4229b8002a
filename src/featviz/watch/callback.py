"""Watch, the callback of Lightning's."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lightning import Callback, LightningModule, Trainer
from lightning.fabric.utilities.rank_zero import rank_zero_only
from lightning.pytorch.loggers import Logger
from torch import nn
from typing_extensions import override

from featviz.results.rows import Row
from featviz.watch.batches import picture_shape
from featviz.watch.networks import Named
from featviz.watch.record import Moment
from featviz.watch.session import Session
from featviz.watch.settings import WatchSettings


class Watch(Callback):
    """Shows what filters look for while their network is trained: pictures and metrics every so many epochs.

    They go to the loggers of the training (TensorBoard, Weights & Biases, MLflow; numbers alone to a CSV) as
    ``watch/<layer>/<filter>``, and into the run folder ``output``, whose pages show a unit over the epochs.

    Pictures are made of a copy of the network in eval mode, in the first process alone, with random numbers of their
    own: the training comes to the same results, bit for bit, as it does without. What goes wrong in making pictures is
    told in one line, and the training goes on. For a training without Lightning, see :meth:`step`.

    Args:
        layers: module or stage names, relative to the network.
        filters: ``5``, ``[0, 3, 9]``, ``"0-15"``, ``"all"`` or ``"random:16"``, which are followed; ``"changing:4"``
            are at each time the four that have changed most since the last.
        every_n_epochs: look after every so many epochs.
        every_n_steps: look after every so many steps of the optimizer, instead.
        recipe: a recipe's name.
        overrides: any other setting as on the command line, ``["schedule.steps=512"]``. Pictures have 128 steps
            here, and those that do not move are not started again.
        output: folder of pictures, table and pages; one that holds something stays, and ``output_2`` is made. Nothing
            is written without one.
        budget: seconds of looking for each second of training; what is not used is saved up. Where it is not
            enough for all units, those that were not seen for longest come first, or the look has to wait. The first
            look is made at once, whatever it takes, and paid back; what the last one had no time for is made when the
            training ends. None looks each time.
        seed: of starts and transforms, the same at each look, so that only the network makes the difference.
        network: the attribute of the LightningModule that is looked at, ``"net"``, or a function of it that returns the
            network, as for one of moving averages. Without it, its only child with parameters, or else itself.
        loggers: of Lightning's, for a training without it.
        **pictures: what the network takes, as for :class:`featviz.Model`: ``mean``, ``std``, ``size``,
            ``in_channels``, ``channel_order``, ``scale``, ``range``, ``forward``, ``stages``. Without ``size`` they
            are as large as those of the training's first batch.

    Raises:
        FeatvizError: a setting is out of range; when the training begins, a layer or filter does not exist, or there is
            neither a logger nor ``output``.

    Example:
        >>> watch = Watch(layers=["f.3"], filters="0-3", every_n_epochs=5, output="watch")
        >>> watch.settings.is_due(epoch=4, step=0)
        True
    """

    def __init__(
        self,
        layers: str | Sequence[str],
        filters: int | str | Sequence[int] = "0-3",
        every_n_epochs: int | None = 1,
        every_n_steps: int | None = None,
        recipe: str = "clear",
        overrides: Sequence[str] = (),
        output: str | Path | None = None,
        budget: float | None = 0.02,
        seed: int = 0,
        network: Named = None,
        loggers: Sequence[Logger] = (),
        **pictures: Any,
    ) -> None:
        self.settings = WatchSettings.of(
            layers,
            filters,
            recipe,
            overrides,
            output,
            every_n_epochs=every_n_epochs,
            every_n_steps=every_n_steps,
            budget=budget,
            seed=seed,
            network=network,
            preprocessing=pictures,
        )
        self.loggers = list(loggers)
        self._session: Session | None = None
        self._folder: Path | None = None  # of an earlier part of the same training
        self._last_step = 0
        self._last: Moment | None = None  # up to which the training has come

    @property
    def folder(self) -> Path | None:
        """Where pictures are written, once the training has begun."""
        return self._session.folder if self._session else None

    @property
    def seconds(self) -> float:
        """How long all looks have taken."""
        return self._session.budget.spent if self._session else 0.0

    def step(self, module: nn.Module, epoch: int, step: int | None = None) -> list[Row]:
        """Look at the network of a training without Lightning, where the epoch is one to look after.

        Call it at the end of each epoch, or of each step with ``every_n_steps``. The first call builds what is needed,
        and measures how long pictures take.

        Args:
            module: what is trained.
            epoch: counted from 0.
            step: how many steps the optimizer has made; needed for ``every_n_steps``, and otherwise the epoch stands
                for it in loggers.

        Returns:
            The rows of the pictures that were made; there may be none.
        """
        if _rank() != 0:
            return []
        if self._session is None:
            self._session = Session(self.settings, module, self.loggers)
        self._last = moment = Moment(epoch, epoch if step is None else step)
        return self._session.look(moment) if self.settings.is_due(epoch, moment.step) else []

    def finish(self) -> None:
        """End a training without Lightning: make what the last look had no time for, and write the pages."""
        if self._session:
            self._session.finish(self._last)

    @override
    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._session, self._last, self._last_step = None, None, trainer.global_step

    @override
    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        if trainer.is_global_zero and self._session is None:
            loggers = [*trainer.loggers, *self.loggers]
            self._session = Session(self.settings, pl_module, loggers, self._folder, picture_shape(batch))

    @override
    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        made, self._last_step = trainer.global_step > self._last_step, trainer.global_step
        if made and self.settings.by_steps:  # batches whose gradients are accumulated make no step
            self._look(trainer)

    @override
    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._last = Moment(trainer.current_epoch, trainer.global_step)
        if not self.settings.by_steps:
            self._look(trainer)

    @override
    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.finish()

    @property
    @override
    def state_key(self) -> str:
        """Several watches of a training are told apart by what they look at, and where they write."""
        asked = self.settings
        return self._generate_state_key(
            layers=asked.layers, filters=str(asked.filters), recipe=asked.recipe, output=str(asked.output)
        )

    @override
    def state_dict(self) -> dict[str, Any]:
        """Keep the run folder, so that a training that goes on from a checkpoint goes on in it."""
        return {"folder": str(self.folder)} if self.folder else {}

    @override
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        folder = Path(state_dict["folder"]) if "folder" in state_dict else None
        self._folder = folder if folder and folder.is_dir() else None

    def _look(self, trainer: Trainer) -> None:
        if self._session and self.settings.is_due(trainer.current_epoch, trainer.global_step):
            self._session.look(Moment(trainer.current_epoch, trainer.global_step))


def _rank() -> int:
    """This process's number among those that train together."""
    rank: int = getattr(rank_zero_only, "rank", 0) or 0
    return rank
