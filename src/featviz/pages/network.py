"""Which network a run is of, and that network's layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from featviz.errors import printable
from featviz.pages.run_settings import model_name
from featviz.pages.tables import TableReader

MOST_BYTES = 2**26  # of network.json, manifest.json and inputs.json
WEIGHTS = "the network's weights"  # what inputs.json calls their checksum
LARGEST = 10**9  # of a shape, a stride or a number of units


@dataclass(frozen=True)
class Layer:
    """A layer of a network, as ``task=layers`` lists it; None where that is not known.

    Attributes:
        module: its dotted name.
        names: what else it is called: a stage, as ``layer3``.
        kind: its class.
        shape: of its output for one picture, (channels, height, width).
        stride: px of the picture from one position to the next.
        units: how many channels it has.
        asked: what runs of it call it: its stage or its module, as whoever ran them did.
    """

    module: str
    names: tuple[str, ...] = ()
    kind: str = ""
    shape: tuple[int, ...] | None = None
    stride: int | None = None
    units: int | None = None
    asked: str = ""

    @property
    def name(self) -> str:
        """What it is called in pages."""
        return self.asked or next(iter(self.names), self.module)


@dataclass(frozen=True)
class Network:
    """A model with its weights; ``checksum`` is that of the weights, empty where an older run does not say it."""

    name: str
    weights: str
    checksum: str
    layers: tuple[Layer, ...]


def read_network(reader: TableReader, row: Any = None) -> Network:
    """The network of a run folder; ``row`` is a line of one of its tables, which older versions name it by."""
    table = reader.json("network.json", MOST_BYTES)
    table = table if isinstance(table, Mapping) else {}
    layers = table.get("layers")
    name, weights = (row.model, row.weights) if row else model_name(reader.folder)
    return Network(
        name=printable(_text(table.get("model")) or name),
        weights=printable(_text(table.get("weights")) or weights),
        checksum=printable(_text(table.get("network")) or getattr(row, "network", "") or _other_checksum(reader)),
        layers=_layers(layers, reader.problems) if isinstance(layers, list) else (),
    )


def _other_checksum(reader: TableReader) -> str:
    """The checksum as manifest.json or inputs.json have it, which runs wrote before there was a network.json."""
    for name, key in (("manifest.json", "network"), ("inputs.json", WEIGHTS)):
        content = reader.json(name, MOST_BYTES)
        if isinstance(content, Mapping) and (checksum := _text(content.get(key))):
            return checksum
    return ""


def _layers(entries: Sequence[Any], problems: list[str]) -> tuple[Layer, ...]:
    read = [_layer(entry) for entry in entries]
    if None in read:
        problems.append(f"network.json is damaged ({read.count(None)} of its layers)")
    return tuple({layer.module: layer for layer in read if layer}.values())


def _layer(entry: Any) -> Layer | None:
    if not isinstance(entry, Mapping) or not isinstance(entry.get("module"), str):
        return None
    names, shape = entry.get("names"), entry.get("shape")
    sizes = shape if isinstance(shape, list) and all(_whole(size) is not None for size in shape) else None
    return Layer(
        module=printable(entry["module"]),
        names=tuple(printable(name) for name in names if isinstance(name, str)) if isinstance(names, list) else (),
        kind=printable(_text(entry.get("type"))),
        shape=tuple(sizes) if sizes else None,
        stride=_whole(entry.get("stride")),
        units=_whole(entry.get("units")),
    )


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= LARGEST else None
