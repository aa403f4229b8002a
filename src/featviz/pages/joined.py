"""Runs of the same network are put together: by the checksum of its weights, by layer and by unit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from featviz.pages.network import Layer, Network
from featviz.pages.run_folder import RunData


@dataclass(frozen=True)
class JoinedNetwork:
    """A network with the runs that are of it.

    Attributes:
        network: its name, weights and checksum.
        layers: all its layers that are known, in its own order where a run tells that.
        runs: the places of its runs among all.
    """

    network: Network
    layers: tuple[Layer, ...]
    runs: tuple[int, ...]


def join_runs(runs: Sequence[RunData]) -> list[JoinedNetwork]:
    """The networks that runs are of, in the order in which they come.

    Networks without a checksum, of runs of older versions, go by their name and the name of their weights.
    """
    groups: dict[tuple[str, ...], list[int]] = {}
    for at, run in enumerate(runs):
        network = run.network
        key = (network.checksum,) if network.checksum else ("", network.name, network.weights)
        groups.setdefault(key, []).append(at)
    return [
        JoinedNetwork(runs[places[0]].network, _layers([runs[at] for at in places]), tuple(places))
        for places in groups.values()
    ]


def notes_about(networks: Sequence[JoinedNetwork]) -> list[str]:
    """What a reader has to know: networks of the same name that are different ones, and those that nobody can tell."""
    by_name: dict[str, list[JoinedNetwork]] = {}
    for one in networks:
        by_name.setdefault(one.network.name, []).append(one)
    notes = []
    for name, same in by_name.items():
        if len(same) > 1:
            which = ", ".join(f"{one.network.weights} {one.network.checksum or 'without checksum'}" for one in same)
            notes.append(f"{len(same)} networks of different weights are called {name}: {which}")
    for one in networks:
        if not one.network.checksum and len(one.runs) > 1:
            name = f"{one.network.name} ({one.network.weights})"
            notes.append(f"{len(one.runs)} runs of {name} do not say the checksum of its weights: taken for the same")
    return notes


def _asked(before: str, called: Sequence[str], module: str) -> str:
    """A layer's name in pages: the first that a run gave it which is no module's, otherwise that of its module."""
    return before if before not in ("", module) else next(iter(called), module)


def _layers(runs: Sequence[RunData]) -> tuple[Layer, ...]:
    """The layers that a run lists, and then those that only tables name."""
    listed = next((run.network.layers for run in runs if run.network.layers), ())
    layers = {layer.module: layer for layer in listed}
    for run in runs:
        for module in dict.fromkeys([*run.names, *(module for module, _ in run.units), *run.atlases]):
            called = run.names.get(module, ())
            layer = layers.get(module) or Layer(module, kind=run.kinds.get(module, ""))
            names = tuple(dict.fromkeys([*layer.names, *called]))
            layers[module] = replace(layer, names=names, asked=_asked(layer.asked, called, module))
    return tuple(layers.values())
