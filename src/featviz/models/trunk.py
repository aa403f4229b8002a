"""Which modules lie on a network's trunk: all that goes from the picture to the output goes through them.

Heads beside it, branches, shortcuts and attention inside of blocks do not. In the graph of the backward pass these
modules dominate the output; the immediate dominator of a tensor is the nearest one that all of what it is computed from
goes through (Cooper, Harvey and Kennedy 2001, A Simple, Fast Dominance Algorithm; this graph has no cycles).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import nn
from torch.utils._pytree import tree_leaves

from featviz.models.hooks import device_of, forward_hooks, submodules
from featviz.models.output_keys import OUTPUT, keyed_tensors
from featviz.shapes import Shape, Size


class Flow:
    """What goes through which modules on its way from the picture to the output.

    Args:
        nodes: of each module, in the order in which they finish, the node of its output in the graph of the backward
            pass.
        end: that of the network's output; None for a network through which no gradient comes.
        tensors: the nodes of single calls, ``act:1``, and of tensors in what modules return, ``attn[0]``.
    """

    def __init__(self, nodes: Mapping[str, Any], end: Any, tensors: Mapping[str, Any] | None = None) -> None:
        self._all = {**nodes, **(tensors or {})}
        order = _from_the_picture(end) if end is not None else []
        inputs = {node: [other for other, _ in node.next_functions] for node in order}
        users: dict[Any, list[Any]] = {node: [] for node in order}
        for node, others in inputs.items():
            for other in others:
                users.get(other, []).append(node)
        self._end = end
        self._before, self._after = _dominators(order, inputs), _dominators(order[::-1], users)
        self._nodes = {name: node for name, node in nodes.items() if node in self._before}

    def trunk(self, module: str = "") -> list[str]:
        """Modules that all paths from the picture to the output go through, in the order in which they finish.

        With ``module`` it is this one's output that they lead to. Empty where no gradient comes there.
        """
        return self._on_the_way(self._nodes.get(module) if module else self._end, self._before)

    def before(self, layer: str) -> list[list[str]]:
        """What all paths from the picture to this layer's output go through, before it, the nearest first.

        Each is a list of the layers that hand out the same, in the order in which they finish. The layer may be beside
        the way to the network's output, as further heads are.
        """
        names: dict[Any, list[str]] = {}
        for name, node in self._all.items():
            names.setdefault(node, []).append(name)
        end, groups = self._all.get(layer), list[list[str]]()
        order = [] if end is None else _from_the_picture(end)
        before = _dominators(order, {node: [other for other, _ in node.next_functions] for node in order})
        node = before.get(end)
        while node in before:
            groups.append(names.get(node, []))
            node = before[node]
        return [group for group in groups if group]

    def ways_out(self, module: str) -> list[str]:
        """Modules that all paths from this one's output to the network's go through, in the order in which they finish.

        It is among them itself.
        """
        return self._on_the_way(self._nodes.get(module), self._after)

    def _on_the_way(self, node: Any, dominators: Mapping[Any, Any]) -> list[str]:
        passed = set[Any]()
        while node in dominators:
            passed.add(node)
            node = dominators[node]
        return [name for name, at in self._nodes.items() if at in passed]


def flow_of(network: nn.Module, channels: int, size: Size) -> Flow:
    """Pass a gray picture through a network, and note what goes through which modules."""
    nodes, tensors, calls = dict[str, Any](), dict[str, Any](), Counter[str]()

    def note(name: str) -> Any:
        def hook(_module: nn.Module, _inputs: Any, output: Any) -> None:
            nodes.pop(name, None)
            calls[name] += 1
            if isinstance(output, torch.Tensor) and output.grad_fn is not None:
                nodes[name] = tensors[f"{name}:{calls[name]}"] = output.grad_fn
            elif not isinstance(output, torch.Tensor):
                tensors.update(_keyed_nodes(name, output))

        return hook

    picture = torch.zeros(1, channels, *Shape.of(size), device=device_of(network), requires_grad=True)
    with forward_hooks(submodules(network), note), torch.enable_grad(), torch.random.fork_rng(devices=[]):
        returned = network(picture)
    if OUTPUT not in nodes:
        tensors.update(_keyed_nodes(OUTPUT, returned))
    ends = [
        leaf.grad_fn for leaf in tree_leaves(returned) if isinstance(leaf, torch.Tensor) and leaf.grad_fn is not None
    ]
    return Flow(nodes, ends[0] if ends else next(reversed(nodes.values()), None), tensors)


def _keyed_nodes(name: str, output: Any) -> dict[str, Any]:
    """The nodes of the tensors in a dict or a tuple, by the names of layers: ``attn[0]``."""
    return {f"{name}{key}": at.grad_fn for key, at in keyed_tensors(output) if at.grad_fn is not None}


def _dominators(order: Iterable[Any], before: Mapping[Any, Iterable[Any]]) -> dict[Any, Any]:
    """For each node the nearest that all paths from the first ones to it go through; None where there is none.

    In ``order`` each node stands behind those ``before`` it.
    """
    dominators, depths = dict[Any, Any](), {None: 0}
    for node in order:
        found = [other for other in before[node] if other in dominators]
        nearest = found[0] if found else None
        for other in found[1:]:
            while nearest is not other:
                if depths[nearest] >= depths[other]:
                    nearest = dominators[nearest]
                else:
                    other = dominators[other]
        dominators[node], depths[node] = nearest, depths[nearest] + 1
    return dominators


def _from_the_picture(end: Any) -> list[Any]:
    """The nodes between the picture and ``end``, each behind those that it is computed from."""
    finished, begun = dict[Any, None](), set[Any]()
    stack = [(end, False)]
    while stack:
        node, done = stack.pop()
        followers = [other for other, _ in node.next_functions if other is not None]
        if done and (type(node).__name__ == "AccumulateGrad" or any(other in finished for other in followers)):
            finished[node] = None  # others are constants
        elif not done and node not in begun:
            begun.add(node)
            stack += [(node, True), *((other, False) for other in followers if other not in begun)]
    return list(finished)
