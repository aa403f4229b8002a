"""ReLU6 that overwrites its input without a copy of it: the gradient can be told from what comes out.

``nn.ReLU6(inplace=True)`` saves its input for the backward pass, and so copies a whole feature map each time; in the
networks made for phones that is a tenth of a step.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from featviz.rectifiers import RedirectedRectifiers

HIGHEST = 6.0


def with_lean_relu6(network: nn.Module) -> nn.Module:
    """Replace, in place, the overwriting ReLU6 modules of a network."""
    for name, module in list(network.named_modules()):
        if type(module) is nn.ReLU6 and module.inplace:
            network.set_submodule(name, _ReLU6(inplace=True))
    return network


class _ReLU6(nn.ReLU6):
    def forward(self, input: Tensor) -> Tensor:
        """As ``nn.ReLU6``."""
        plain = input.is_leaf or input._is_view() or torch.compiler.is_compiling()
        if plain or not input.requires_grad or RedirectedRectifiers.active:  # those want to see the function
            return super().forward(input)
        return _Overwritten.apply(input)


class _Overwritten(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, features: Tensor) -> Tensor:
        ctx.mark_dirty(features.clamp_(0.0, HIGHEST))
        ctx.save_for_backward(features)
        return features

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        """Zero where it was 0 or less, or 6 or more: there it is 0 or 6 now."""
        (features,) = ctx.saved_tensors
        return torch.ops.aten.hardtanh_backward(gradients[0], features, 0.0, HIGHEST)
