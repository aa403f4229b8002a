"""One run as built objects: what is made of which network, by which method, and on what it is computed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from lightning import Callback, Trainer
from lightning.pytorch.loggers import Logger

from featviz.errors import FeatvizError
from featviz.filters import FilterSpec, spec_of
from featviz.models.model import Model
from featviz.models.speed.faster_copy import SpeedOptions
from featviz.optim.method import Method
from featviz.runs.devices import Hardware


@dataclass(frozen=True)
class Shard:
    """A share of a run's chunks: every ``parts``-th one, from ``number`` on."""

    number: int = 0
    parts: int = 1

    @classmethod
    def read(cls, text: str | None) -> Shard:
        """``0/8`` is the first of eight shares; null is everything.

        Raises:
            FeatvizError: it is not a share.
        """
        number, _, parts = (text or "0/1").partition("/")
        if not (number.isdecimal() and parts.isdecimal() and int(number) < int(parts)):
            raise FeatvizError(setting="shard", got=text, expected="a part such as 0/8, where 0/8 to 7/8 are all")
        return cls(int(number), int(parts))

    def divided(self, index: int, among: int) -> Shard:
        """The part ``index`` of this share, where it is divided ``among`` so many processes."""
        return Shard(self.number + self.parts * index, self.parts * among)

    def __str__(self) -> str:
        return f"{self.number}/{self.parts}"


WHOLE = Shard()


@dataclass(frozen=True)
class Run:
    """What a configuration asks for, built once; nothing of it changes while pictures are made.

    ``layers`` are names as asked for, ``filters`` one specification for all of them or one for each. ``batch_size``
    is None where memory decides, ``compile`` where a measurement does. ``recipe`` and ``objective`` are names for
    tables, ``varied`` the settings that a sweep varies from run to run. ``config`` is the configuration as YAML, with
    all references resolved.
    """

    model: Model
    method: Method
    layers: tuple[str, ...]
    filters: FilterSpec | Mapping[str, FilterSpec]
    seed: int
    variants: int
    restarts: int
    batch_size: int | None
    shard: Shard
    resume: bool
    keep_checkpoints: bool
    frames: int
    relations: bool
    compile: bool | None
    speed: SpeedOptions
    recipe: str
    objective: str
    learning_rate: float | None
    varied: Mapping[str, str | int | float]
    exemplars: Path | None
    hardware: Hardware
    new_trainer: Callable[[Sequence[Logger], Sequence[Callback]], Trainer]
    new_callbacks: Callable[[Path | None], list[Callback]]
    new_loggers: Callable[[Path], list[Logger]]
    config: str

    @property
    def device(self) -> torch.device:
        """The first device."""
        return self.hardware.devices[0]

    def filters_of(self, layer: str) -> FilterSpec:
        """The filters that are asked for of a layer."""
        return spec_of(self.filters, layer)
