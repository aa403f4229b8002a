"""Of the last convolution before a layer's output, or its last linear layer, only the filters that are asked for.

A picture is made for one filter, but a pass computes all filters of its layer, and leads the gradient back through all
of them. For eight pictures and a layer of hundreds nearly all of that is for numbers which nobody reads.

Not a bit of a picture changes by it, nor does it depend on which other filters are in its batch: with kernels of one
pixel, each number of the gradient is a single product, however many zeros are added to it. What may change is in what
order the filters' values are summed up; so nothing may follow whose gradient depends on them, as a rectifier's does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeGuard

import torch
from torch import Tensor, nn
from torch.nn import functional as F

#: From normalized pictures (N, C, H, W) to the feature maps (N, filters, ...) of a layer.
Pass = Callable[[Tensor], Tensor]

_Weighted = nn.Conv1d | nn.Conv2d | nn.Conv3d | nn.Linear
_MOST = 0.5  # of the filters: more of them take as long as all
_TOLERANCE = 1e-3  # of a tensor's length: sums are rounded in another order


class WantedFilters:
    """Has a module compute only some of its filters. All others are NaN, so that reading one does not go unnoticed."""

    def __init__(self, module: _Weighted) -> None:
        self.module = module
        self._weights: dict[tuple[int, ...], tuple[Tensor, Tensor, Tensor | None]] = {}

    @contextmanager
    def only(self, filters: Sequence[int], offset: float = 0.0) -> Iterator[None]:
        """A context in which no other filters are computed, where these are few enough to save time.

        An ``offset`` is added to what they come to, to see what follows from it.
        """
        wanted = tuple(dict.fromkeys(filters))
        if len(wanted) > _MOST * len(self.module.weight):
            yield
            return
        self.module.forward = partial(_some, self.module, *self._of(wanted), offset)  # type: ignore[method-assign]
        try:
            yield
        finally:
            del self.module.forward  # the class's own is found again

    def _of(self, wanted: tuple[int, ...]) -> tuple[Tensor, Tensor, Tensor | None]:
        """The numbers, weights and biases of filters; those of the last ones asked for are kept for the next step."""
        if wanted not in self._weights:
            weight, bias = self.module.weight, self.module.bias
            numbers = torch.tensor(wanted, device=weight.device)
            self._weights = {wanted: (numbers, weight[numbers], None if bias is None else bias[numbers])}
        return self._weights[wanted]


def _some(module: _Weighted, numbers: Tensor, weight: Tensor, bias: Tensor | None, offset: float, x: Tensor) -> Tensor:
    """What the module returns, with NaN for all filters but those of these numbers."""
    if isinstance(module, nn.Linear):
        some, axis = F.linear(x, weight, bias), x.ndim - 1
    else:
        some, axis = module._conv_forward(x, weight, bias), 1
    if offset:
        some = some + offset * torch.randn(some.shape, generator=torch.Generator().manual_seed(1)).to(some)
    last = some.ndim == 4 and some.is_contiguous(memory_format=torch.channels_last)
    order = torch.channels_last if last else torch.contiguous_format
    shape = *some.shape[:axis], len(module.weight), *some.shape[axis + 1 :]
    outputs = torch.empty(shape, dtype=some.dtype, device=some.device, memory_format=order).fill_(torch.nan)
    outputs.movedim(axis, 0)[numbers] = some.movedim(axis, 0)
    return outputs


def find_wanted_filters(network: nn.Module, run: Pass, picture: Tensor) -> WantedFilters | None:
    """The module that makes the filters of a network's layer, if it can make some of them alone.

    It is taken only where the maps that ``run`` returns are found to be the same for some filters, and their gradient,
    too, even if the filters' values were others.
    """
    last, filters = _last_called(network, run, picture)
    some = [0, filters // 2, filters - 1]
    if last is None or len(last.weight) != filters or len(some) > _MOST * filters:
        return None
    found, equal = WantedFilters(last), torch.equal if picture.device.type == "cpu" else _alike
    try:
        maps, gradient = _maps_and_gradient(run, picture, some)
        if not gradient.flatten(1).any(1).all():
            return None  # what is silent does not tell
        with found.only(some):
            same = _alike(maps, _maps_and_gradient(run, picture, some)[0])
        with found.only(some, offset=1 + 10 * float(maps.abs().max())):  # which turns many signs
            return found if same and equal(gradient, _maps_and_gradient(run, picture, some)[1]) else None
    except (RuntimeError, TypeError, ValueError, IndexError):  # whatever the network does with what is left out
        return None


def _last_called(network: nn.Module, run: Pass, picture: Tensor) -> tuple[_Weighted | None, int]:
    """The last module with weights of a pass, if it can be cut and is called once; and how many filters come out."""
    called: list[nn.Module] = []
    weighted = [each for each in network.modules() if hasattr(each, "weight") and getattr(each.weight, "ndim", 0) > 1]
    handles = [each.register_forward_pre_hook(lambda module, _: called.append(module)) for each in weighted]
    try:
        with torch.no_grad():
            filters = run(picture).shape[1]
    finally:
        for handle in handles:
            handle.remove()
    last = called[-1] if called else None
    return (last if _can_be_cut(last) and called.count(last) == 1 else None), filters


def _can_be_cut(module: Any) -> TypeGuard[_Weighted]:
    if type(module) is nn.Linear:
        return True
    ones = type(module) in (nn.Conv1d, nn.Conv2d, nn.Conv3d) and {*module.kernel_size} == {1}
    return ones and module.groups == 1


def _maps_and_gradient(run: Pass, picture: Tensor, filters: list[int]) -> tuple[Tensor, Tensor]:
    """The maps of filters, each of a picture of its own, and the gradient of a random sum of them."""
    shares = torch.linspace(1, 0.5, len(filters)).view(-1, *[1] * (picture.ndim - 1))
    pictures = (picture.detach() * shares.to(picture)).requires_grad_()
    with torch.enable_grad():
        maps = run(pictures)[range(len(filters)), filters]
        weights = torch.randn(maps.shape, generator=torch.Generator().manual_seed(0)).to(maps)
        (gradient,) = torch.autograd.grad((maps * weights).sum(), pictures)
    return maps.detach(), gradient


def _alike(expected: Tensor, found: Tensor) -> bool:
    return bool((expected - found).norm() <= _TOLERANCE * expected.norm())
