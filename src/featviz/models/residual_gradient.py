"""Gradients that keep more to the skip connections of a network than to the branches beside them.

After the skip gradient method (Wu et al. 2020, arXiv 2002.05990), by which adversarial examples fool other networks
more often: what comes through skip connections depends less on one network's own weights.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from typing_extensions import override

from featviz.models.changed_gradients import ChangedGradients

_ADDITIONS = {torch.add, Tensor.add, Tensor.add_}  # ``x + y`` and ``x += y`` are these, too
_WITH_WEIGHTS = ("conv", "linear", "mm")  # in the names of gradients: of addmm, bmm


class WeightedBranches(ChangedGradients):
    """Within it, a residual branch hands back ``share`` of its gradient; the forward values are untouched.

    A branch is what is computed from a tensor by convolutions or products with matrices, and added to this very tensor.
    A sum of two branches, as of a block whose shortcut has weights of its own, is left alone.
    """

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share

    @override
    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func in _ADDITIONS:
            branch = _branch(*args, **kwargs)
            if branch is not None:
                branch.register_hook(lambda gradient: self.share * gradient)  # type: ignore[no-untyped-call]
        return func(*args, **kwargs)


def _branch(input: Any, other: Any = None, **_: Any) -> Tensor | None:
    """Which of two tensors that are added is a branch of a residual block, if one is; named as torch's arguments."""
    if not all(torch.is_tensor(each) and each.grad_fn is not None for each in (input, other)):
        return None
    if input.shape != other.shape:
        return None
    return next((to for to, start in ((input, other), (other, input)) if _leads(start, to)), None)


def _leads(start: Tensor, end: Tensor) -> bool:
    """Whether one tensor is computed from another one by weights; operations are numbered as they are done."""
    assert start.grad_fn is not None
    first, found, has_weights = start.grad_fn, False, False
    waiting: list[Any] = [end.grad_fn]
    known = {first}
    while waiting:
        node = waiting.pop()
        has_weights |= any(word in node.name().lower() for word in _WITH_WEIGHTS)
        for earlier, output in node.next_functions:
            found |= earlier is first and output == start.output_nr
            if earlier is not None and earlier not in known and earlier._sequence_nr() > first._sequence_nr():
                known.add(earlier)
                waiting.append(earlier)
    return found and has_weights
