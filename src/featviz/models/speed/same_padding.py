"""TensorFlow's uneven paddings as part of the convolution: the same numbers, without a padded copy of the feature map.

With stride 2 such a network pads more below and at the right than above and at the left (``padding="SAME"``). Zeros in
front of the kernel shift it, so that an even padding, which the convolution does itself, gives the same. On a CPU the
padded copies and the strided gradients behind them take longer than the zeros do.
"""

from __future__ import annotations

import sys
from functools import lru_cache
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from typing_extensions import override

if TYPE_CHECKING:
    from timm.layers.conv2d_same import Conv2dSame


def with_padding_inside(network: nn.Module) -> nn.Module:
    """Replace, in place, the convolutions of a frozen network that gain from it: the depthwise ones.

    Their names and weights stay. Where a kernel has more channels, the zeros cost as much as they save.
    """
    # a network has one only where timm, which is slow to import, has been imported by who built it
    kind = getattr(sys.modules.get("timm.layers.conv2d_same"), "Conv2dSame", ())
    for name, module in list(network.named_modules()):
        if isinstance(module, kind) and module.groups == module.in_channels > 1:
            network.set_submodule(name, _Conv2dSame(module))
    return network


class _Conv2dSame(nn.Module):
    def __init__(self, conv: Conv2dSame) -> None:
        super().__init__()
        self.weight, self.bias = conv.weight, conv.bias
        self.stride, self.dilation, self.groups = conv.stride, conv.dilation, conv.groups
        self._shifted = lru_cache(maxsize=4)(self._with_zeros)

    @override
    def forward(self, x: Tensor) -> Tensor:
        sides = zip(x.shape[2:], self.weight.shape[2:], self.stride, self.dilation, strict=True)
        paddings = [_padding(*side) for side in sides]
        before = [padding // 2 for padding in paddings]
        shift = [padding % 2 for padding in paddings]
        if x.device.type != "cpu" or (any(shift) and max(self.dilation) > 1):
            after = [padding - first for padding, first in zip(paddings, before, strict=True)]
            x = F.pad(x, (before[1], after[1], before[0], after[0]))
            return F.conv2d(x, self.weight, self.bias, self.stride, 0, self.dilation, self.groups)
        even = [first + more for first, more in zip(before, shift, strict=True)]
        shifted = self._with_zeros if torch.compiler.is_compiling() else self._shifted  # it sees no cache's inside
        return F.conv2d(x, shifted(*shift), self.bias, self.stride, even, self.dilation, self.groups)

    def _with_zeros(self, rows: int, columns: int) -> Tensor:
        """The kernel behind so many rows and columns of zeros."""
        with torch.no_grad():
            return F.pad(self.weight, (columns, 0, rows, 0)).contiguous(memory_format=torch.channels_last)


def _padding(size: int, kernel: int, stride: int, dilation: int) -> int:
    """How much of both sides together lets the output have ``size / stride`` elements, rounded up."""
    outputs = -(-size // stride)
    return max((outputs - 1) * stride + (kernel - 1) * dilation + 1 - size, 0)
