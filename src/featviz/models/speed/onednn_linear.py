"""Linear layers by oneDNN, whose products use AVX-512 on CPUs of any maker; those of torch do so on Intel's alone."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from typing_extensions import override


class OneDnnLinear(nn.Linear):
    """A frozen linear layer with the same values and gradients but for rounding; these take ``transposed`` weights."""

    transposed: Tensor

    @override
    def forward(self, input: Tensor) -> Tensor:  # named as in torch
        if input.device.type != "cpu" or input.dtype != torch.float32 or self.weight.dtype != torch.float32:
            return F.linear(input, self.weight, self.bias)
        output: Tensor = _Product.apply(input, self.weight, self.transposed)
        return output if self.bias is None else output + self.bias


class _Product(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, inputs: Tensor, weight: Tensor, transposed: Tensor) -> Tensor:
        ctx.transposed = transposed
        return product(inputs, weight)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        return product(gradients[0], ctx.transposed), None, None


def product(inputs: Tensor, weight: Tensor) -> Tensor:
    """``inputs`` (..., n) times the transpose of ``weight`` (m, n), both of float32 on a CPU."""
    linear = torch.ops.mkldnn._linear_pointwise  # what torch.compile itself calls
    output: Tensor = linear(inputs.contiguous(), weight.contiguous(), None, "none", [], "")
    return output


def with_onednn_linears(network: nn.Module) -> None:
    """Have all linear layers of a network, which is changed in place, computed by oneDNN; its weights are kept."""
    for module in network.modules():
        if type(module) is nn.Linear:
            module.__class__ = OneDnnLinear
            module.register_buffer("transposed", module.weight.detach().T.contiguous(), persistent=False)
