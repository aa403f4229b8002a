"""Linear layers by oneDNN, whose products use AVX-512 on CPUs of any maker; those of torch do so on Intel's alone."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from typing_extensions import override


class OneDnnLinear(nn.Linear):
    """A frozen linear layer with the same values and gradients but for rounding; these take ``transposed`` weights.

    Where torch.compile makes the pass, it is a layer like any other.
    """

    transposed: Tensor

    @override
    def forward(self, input: Tensor) -> Tensor:  # named as in torch
        if torch.compiler.is_compiling() or input.device.type != "cpu" or not self._is_float32(input):
            return F.linear(input, self.weight, self.bias)
        output: Tensor = _Product.apply(input, self.weight, self.transposed)
        return output if self.bias is None else output + self.bias

    def _is_float32(self, inputs: Tensor) -> bool:
        return inputs.dtype == self.weight.dtype == torch.float32


class _Product(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, inputs: Tensor, weight: Tensor, transposed: Tensor) -> Tensor:
        ctx.weight, ctx.transposed = weight, transposed
        return product(inputs, weight)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        return gradient_product(gradients[0], ctx.weight, ctx.transposed), None, None


def gradient_product(gradient: Tensor, weight: Tensor, transposed: Tensor) -> Tensor:
    """A gradient (..., m) times the ``weight`` (m, n), which is ``transposed`` too.

    Rows with one number that is not zero, as those of an output have of which each picture's objective reads one unit,
    are that number times a row of the weight, bit for bit: only the others need a product.
    """
    rows = gradient.reshape(-1, gradient.shape[-1])
    many = (torch.count_nonzero(rows, 1) > 1).nonzero()[:, 0]
    if 2 * len(many) > len(rows):
        return product(gradient, transposed)
    units = rows.abs().max(1, keepdim=True).indices
    result = weight.index_select(0, units[:, 0]).mul_(rows.gather(1, units))
    if len(many):
        twins = many.expand(2) if len(many) == 1 else many  # a row by itself would be computed, and rounded, otherwise
        result.index_copy_(0, twins, product(rows[twins], transposed))
    return result.view(*gradient.shape[:-1], -1)


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
