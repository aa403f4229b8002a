"""``manifest.json``: all that a run owes, so that its shards can be put together without its network."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from featviz.errors import FeatvizError, one_line
from featviz.reading import read_bytes
from featviz.results.files import write_file
from featviz.results.folder import RunFolder
from featviz.runs.plan import Plan

NAME = "manifest.json"
MOST_BYTES = 2**26  # of the file: some ten million filters


class OwedLayer(Protocol):
    """A layer's pictures."""

    @property
    def name(self) -> str:
        """As asked for."""

    @property
    def filters(self) -> tuple[int, ...]:
        """Each as often as it has variants."""

    @property
    def variants(self) -> int:
        """How many pictures each filter has."""


@dataclass(frozen=True)
class LayerManifest:
    """What is made of a layer; ``statistic`` is what the pictures' activation is of a feature map, mean or max."""

    name: str
    module: str
    filters: tuple[int, ...]
    variants: int
    statistic: str | None


@dataclass(frozen=True)
class Manifest:
    """All pictures of a run, of its shards together, and the checksum of its network; plain values throughout.

    ``sizes`` says how many sizes a picture goes through.
    """

    network: str
    sizes: int
    layers: tuple[LayerManifest, ...]

    @classmethod
    def of(cls, plan: Plan) -> Manifest:
        """The manifest of a plan."""
        layers = tuple(
            LayerManifest(
                name=layer.name,
                module=plan.traced.resolve(layer.name).name,
                filters=layer.filters,
                variants=layer.variants,
                statistic=plan.method.objective(layer=layer.name, filters=layer.filters[:1]).statistic,
            )
            for layer in plan.layers
        )
        return cls(plan.model.checksum, len(plan.method.schedule.stages), layers)

    @classmethod
    def read(cls, folder: RunFolder, setting: str) -> Manifest:
        """That of a folder, which ``setting`` names.

        Raises:
            FeatvizError: there is none, or it is damaged.
        """
        path = folder.path / NAME
        if not path.is_file():
            raise FeatvizError(
                f"{setting}={folder.path}: there is no {NAME} of a run",
                setting=setting,
                got=str(folder.path),
                expected=f"resume={folder.path}, with the run's settings, which writes it",
            )
        try:
            return _manifest(json.loads(read_bytes(path, MOST_BYTES)))
        except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
            raise FeatvizError(f"{setting}: cannot read {path}: {one_line(error)}") from error

    def write(self, folder: RunFolder) -> None:
        """Write it into a run's folder."""
        write_file(folder.path / NAME, (json.dumps(asdict(self)) + "\n").encode())

    def difference(self, other: Manifest) -> str:
        """What makes two runs' pictures differ, in words; empty where nothing does."""
        if self.network != other.network:
            return f"the checksum of its network's weights was {self.network} and is {other.network}"
        names = [[layer.name for layer in each.layers] for each in (self, other)]
        if self.layers != other.layers:
            return f"it makes other filters (of {', '.join(names[0])}; of {', '.join(names[1])})"
        return ""


def _manifest(content: Mapping[str, Any]) -> Manifest:
    layers = tuple(
        LayerManifest(
            name=_of_type(layer["name"], str),
            module=_of_type(layer["module"], str),
            filters=tuple(_of_type(number, int) for number in _of_type(layer["filters"], list)),
            variants=_of_type(layer["variants"], int),
            statistic=_of_type(layer["statistic"], str | None),
        )
        for layer in _of_type(content["layers"], list)
    )
    if any(layer.variants < 1 or not layer.filters or min(layer.filters) < 0 for layer in layers):
        raise ValueError("filters count from 0, variants from 1")
    return Manifest(_of_type(content["network"], str), _of_type(content["sizes"], int), layers)


def _of_type(value: Any, kind: Any) -> Any:
    if not isinstance(value, kind) or isinstance(value, bool):
        raise TypeError(f"a {type(value).__name__} in the place of a {getattr(kind, '__name__', kind)}")
    return value
