"""What happens to the outputs of a network's modules: which operations read them, and which outlive a pass."""

from __future__ import annotations

import gc
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from typing_extensions import override

from featviz.models.hooks import forward_hooks, submodules


def in_use(memory: StorageWeakRef) -> bool:
    """Whether a tensor still holds this memory."""
    return not memory.expired()  # type: ignore[no-untyped-call]


def _memory(tensor: Tensor) -> StorageWeakRef:
    return StorageWeakRef(tensor.untyped_storage())  # type: ignore[no-untyped-call]


class Readers(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Within it, every operation that reads watched memory is noted, of a view, without a gradient, or in place, too.

    ``watch`` gives a tensor's memory a name; ``allowed`` is the name whose readers are not counted now; ``read`` holds
    the names that were read otherwise.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.allowed: str | None = None
        self.read: set[str] = set()
        self._names: dict[StorageWeakRef, str] = {}

    def watch(self, name: str, tensor: Tensor) -> StorageWeakRef:
        """Watch a tensor's memory; the reference says whether it is still in use."""
        reference = _memory(tensor)
        self._names[reference] = name
        return reference

    @override
    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        for leaf in tree_leaves((args, kwargs or {})):
            if isinstance(leaf, Tensor):
                name = self._names.get(_memory(leaf))
                if name is not None and name != self.allowed:
                    self.read.add(name)
        return func(*args, **(kwargs or {}))


@torch.no_grad()
def outputs_that_stay(network: nn.Module, names: Iterable[str], pictures: Tensor) -> set[str]:
    """Those modules whose output, or a view of it, the network still holds after a pass."""
    references: dict[str, list[StorageWeakRef]] = {}

    def note(name: str) -> Any:
        def hook(_module: nn.Module, _inputs: Any, output: Any) -> None:
            for leaf in tree_leaves(output):
                if isinstance(leaf, Tensor):
                    references.setdefault(name, []).append(_memory(leaf))

        return hook

    with forward_hooks(submodules(network, names), note):
        network(pictures)
    if any(in_use(reference) for each in references.values() for reference in each):
        gc.collect()  # what only a circle of references holds is not held
    return {name for name, each in references.items() if any(in_use(reference) for reference in each)}
