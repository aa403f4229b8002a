"""Of the last convolution before a layer's output, or its last linear layer, only the filters that are asked for.

A picture is made for one filter, but a pass computes all filters of its layer, and leads the gradient back through all
of them. For eight pictures and a layer of hundreds nearly all of that is for numbers which nobody reads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

#: From normalized pictures (N, C, H, W) to the feature maps (N, filters, ...) of a layer.
Pass = Callable[[Tensor], Tensor]

_KINDS = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Linear)
_Module = nn.Conv1d | nn.Conv2d | nn.Conv3d | nn.Linear
_MOST = 0.5  # of the filters: more of them take as long as all
_TOLERANCE = 1e-3  # of a tensor's length: sums may be rounded in another order


class WantedFilters:
    """Has a module compute only some of its filters. All others are NaN, so that reading one does not go unnoticed."""

    def __init__(self, module: _Module) -> None:
        self.module = module
        self._weights: dict[tuple[int, ...], tuple[Tensor, Tensor, Tensor | None]] = {}

    @contextmanager
    def only(self, filters: Sequence[int]) -> Iterator[None]:
        """A context in which no other filters are computed, where these are few enough to save time."""
        wanted = tuple(dict.fromkeys(filters))
        if len(wanted) > _MOST * len(self.module.weight):
            yield
            return
        self.module.forward = partial(_some, self.module, *self._of(wanted))  # type: ignore[method-assign]
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


def _some(module: _Module, numbers: Tensor, weight: Tensor, bias: Tensor | None, x: Tensor) -> Tensor:
    """What the module returns, with NaN for all filters but those of these numbers."""
    if isinstance(module, nn.Linear):
        some = F.linear(x, weight, bias)
        tokens = some.new_full((*some.shape[:-1], len(module.weight)), torch.nan)
        tokens[..., numbers] = some
        return tokens
    some = module._conv_forward(x, weight, bias)
    last = some.ndim == 4 and some.is_contiguous(memory_format=torch.channels_last)
    order = torch.channels_last if last else torch.contiguous_format
    shape = len(some), len(module.weight), *some.shape[2:]
    maps = torch.empty(shape, dtype=some.dtype, device=some.device, memory_format=order)
    maps.fill_(torch.nan)[:, numbers] = some
    return maps


def find_wanted_filters(network: nn.Module, run: Pass, pictures: Tensor) -> WantedFilters | None:
    """The module that makes the filters of a network's layer, if it can make some of them alone.

    It is taken only where the maps that ``run`` returns, and their gradient, are found to be the same for some filters.
    """
    last, filters = _last_called(network, run, pictures)
    some = sorted({0, filters // 2, filters - 1})
    if last is None or len(last.weight) != filters or len(some) > _MOST * filters:
        return None
    found = WantedFilters(last)
    try:
        expected = _maps_and_gradient(run, pictures, some)
        with found.only(some):
            results = _maps_and_gradient(run, pictures, some)
    except (RuntimeError, TypeError, ValueError, IndexError):  # whatever the network does with what is left out
        return None
    return found if all(_same(*each) for each in zip(expected, results, strict=True)) else None


def _last_called(network: nn.Module, run: Pass, pictures: Tensor) -> tuple[_Module | None, int]:
    """The last convolution or linear layer of a pass, if it is called only once; and how many filters come out."""
    called: list[_Module] = []
    modules = [each for each in network.modules() if type(each) in _KINDS and getattr(each, "groups", 1) == 1]
    handles = [module.register_forward_pre_hook(lambda module, _: called.append(module)) for module in modules]
    try:
        with torch.no_grad():
            filters = run(pictures).shape[1]
    finally:
        for handle in handles:
            handle.remove()
    return (called[-1] if called and called.count(called[-1]) == 1 else None), filters


def _maps_and_gradient(run: Pass, pictures: Tensor, filters: list[int]) -> tuple[Tensor, Tensor]:
    """The maps of some filters, and the gradient of a random sum of them; NaN where there is none."""
    pictures = pictures.detach().requires_grad_()
    with torch.enable_grad():
        maps = run(pictures)[:, filters]
        weights = torch.randn(maps.shape, generator=torch.Generator().manual_seed(0)).to(maps)
        (gradient,) = torch.autograd.grad((maps * weights).sum(), pictures, allow_unused=True)
    return maps.detach(), torch.full_like(pictures, torch.nan) if gradient is None else gradient


def _same(expected: Tensor, found: Tensor) -> bool:
    return bool((expected - found).norm() <= _TOLERANCE * expected.norm())
