"""Rectifiers that overwrite: going forwards their input, going backwards the feature map that they handed out.

Where the input was cut off can be told from what came out. So ReLU6 keeps no copy of its input for the backward pass
(``nn.ReLU6(inplace=True)`` does, of a whole feature map each time), and its gradient, once nothing else needs the
feature map, takes the feature map's place. In networks made for phones such copies are a fifth of a step.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from typing_extensions import override

from featviz.models.redirected_relu import RedirectedReLU


def inplace_relus(network: nn.Module) -> list[str]:
    """The overwriting ReLU and ReLU6 modules of a network, by name."""
    return [n for n, m in network.named_modules() if type(m) in _REPLACEMENTS and getattr(m, "inplace", False)]


def with_inplace_relus(network: nn.Module, names: Iterable[str]) -> nn.Module:
    """Replace, in place, the overwriting ReLU and ReLU6 modules of these names: those whose output nothing keeps."""
    for name in names:
        network.set_submodule(name, _REPLACEMENTS[type(network.get_submodule(name))](inplace=True))
    return network


def overwritten_later(features: Tensor) -> bool:
    """Whether the backward pass will use these features' memory for their gradient."""
    return not torch.compiler.is_compiling() and getattr(features.grad_fn, "_forward_cls", None) is _Overwriting


class _InPlace(nn.Module):
    highest: float

    @override
    def forward(self, input: Tensor) -> Tensor:
        if torch.compiler.is_compiling() or RedirectedReLU.active:  # those want to see the function
            return super().forward(input)
        if input.is_leaf or input._is_view() or not input.requires_grad:
            return super().forward(input)
        return _Overwriting.apply(input, self.highest)


class _ReLU(_InPlace, nn.ReLU):
    highest = math.inf


class _ReLU6(_InPlace, nn.ReLU6):
    highest = 6.0


_REPLACEMENTS: dict[type[nn.Module], Any] = {nn.ReLU: _ReLU, nn.ReLU6: _ReLU6}


class _Overwriting(torch.autograd.Function):
    @staticmethod
    @override
    def forward(ctx: Any, features: Tensor, highest: float) -> Tensor:
        ctx.highest = highest
        ctx.mark_dirty(features.clamp_(0.0, highest))
        ctx.save_for_backward(features)
        return features

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        """Zero where it was 0 or less, or the highest or more: there it is 0 or the highest now.

        All that was computed from the feature map has had its backward pass before this, so unless the graph is kept
        for another one (as torch.compile's donated buffers, too, ask) nobody misses it.
        """
        (features,) = ctx.saved_tensors
        numbers = gradients[0], features, 0.0, ctx.highest
        if torch._C._autograd._get_current_graph_task_keep_graph():
            return torch.ops.aten.hardtanh_backward(*numbers), None
        return torch.ops.aten.hardtanh_backward.grad_input(*numbers, grad_input=features), None
