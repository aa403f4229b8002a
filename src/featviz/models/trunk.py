"""Which modules lie on a network's trunk: all that goes from the picture to the output goes through them.

Heads beside it, branches, shortcuts and attention inside of blocks do not. In the graph of the backward pass these
modules dominate the output: as many paths lead through them as there are in all (Lengauer and Tarjan 1979 on dominators
of flow graphs; paths are counted modulo a prime here, with random weights on the edges).
"""

from __future__ import annotations

import random
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from featviz.models.hooks import device_of, forward_hooks, submodules

PRIME = (1 << 61) - 1


def trunk_modules(network: nn.Module, channels: int, size: int) -> dict[str, int]:
    """Modules whose output every path of the network goes through, in the order in which they finish.

    Each comes with a number of its output: a block and its last module, which return the same tensor, have the same
    number. Empty where no gradient comes through the network.
    """
    nodes: dict[str, Any] = {}

    def note(name: str) -> Any:
        def hook(_module: nn.Module, _inputs: Any, output: Any) -> None:
            nodes.pop(name, None)
            if isinstance(output, Tensor) and output.grad_fn is not None:
                nodes[name] = output.grad_fn

        return hook

    picture = torch.zeros(1, channels, size, size, device=device_of(network), requires_grad=True)
    with forward_hooks(submodules(network), note), torch.enable_grad(), torch.random.fork_rng(devices=[]):
        outputs = tree_leaves(network(picture))
    ends = [leaf.grad_fn for leaf in outputs if isinstance(leaf, Tensor) and leaf.grad_fn is not None]
    end = ends[0] if ends else next(reversed(nodes.values()), None)
    dominators = _dominators(end) if end is not None else set()
    numbers: dict[Any, int] = {}
    return {n: numbers.setdefault(node, len(numbers)) for n, node in nodes.items() if node in dominators}


def _dominators(end: Any) -> set[Any]:
    """The nodes of a backward graph that all paths from its end to the picture go through."""
    order, edges = _sorted(end)
    before, after = dict.fromkeys(order, 0), dict.fromkeys(order, 0)
    before[end] = 1
    for node in order:  # from the end on
        for other, weight in edges[node]:
            before[other] = (before[other] + weight * before[node]) % PRIME
    starts = [node for node in order if type(node).__name__ == "AccumulateGrad"]
    for node in reversed(order):
        after[node] = int(node in starts) or sum(weight * after[other] for other, weight in edges[node]) % PRIME
    return {node for node in order if after[end] and before[node] * after[node] % PRIME == after[end]}


def _sorted(end: Any) -> tuple[list[Any], dict[Any, list[tuple[Any, int]]]]:
    """The nodes below ``end``, each before those that its gradient goes to, and these, with a weight each."""
    weights, edges = random.Random(0), dict[Any, list[tuple[Any, int]]]()
    finished: list[Any] = []
    stack = [(end, False)]
    while stack:
        node, done = stack.pop()
        if done:
            finished.append(node)
        elif node not in edges:
            followers = [other for other, _ in node.next_functions if other is not None]
            edges[node] = [(other, weights.randrange(1, PRIME)) for other in followers]
            stack.append((node, True))
            stack += [(other, False) for other in followers if other not in edges]
    return finished[::-1], edges
