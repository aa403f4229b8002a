"""Gradients through rectifiers that are closed, so that a filter that does not answer to the start can learn to.

After lucid's redirected ReLU gradients (Olah et al. 2017).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

# Each rectifier with the values below and above which its gradient is zero, or next to it.
_FLAT: dict[Callable[..., Any], tuple[float, float]] = {
    F.relu: (0.0, math.inf),
    torch.relu: (0.0, math.inf),
    Tensor.relu: (0.0, math.inf),
    F.relu_: (0.0, math.inf),
    torch.relu_: (0.0, math.inf),
    Tensor.relu_: (0.0, math.inf),
    F.relu6: (0.0, 6.0),
    F.hardswish: (-3.0, 3.0),
    F.hardtanh: (-1.0, 1.0),
    F.gelu: (-3.0, math.inf),
    F.silu: (-6.0, math.inf),
}
_VANISHED = 1e-6  # a gradient below this share of what came in counts as zero


class RedirectedRectifiers(TorchFunctionMode):
    """Within it, a picture whose whole gradient a rectifier would stop sends it through instead.

    Works for modules and for functions called in ``forward``; the forward values are untouched. Only gradients pass
    that push a value back towards the open part. What one picture gets does not depend on the others of the batch.
    """

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Give a rectifier the other backward pass; leave every other function alone."""
        kwargs = dict(kwargs or {})
        if func not in _FLAT:
            return func(*args, **kwargs)
        inputs, *rest = args or (kwargs.pop("input"),)
        if not torch.is_tensor(inputs) or not inputs.requires_grad:
            return func(inputs, *rest, **kwargs)
        low, high = _FLAT[func]
        if func is F.hardtanh:
            low = rest[0] if rest else kwargs.get("min_val", low)
            high = rest[1] if len(rest) > 1 else kwargs.get("max_val", high)
        in_place = bool(kwargs.pop("inplace", False)) or func.__name__.endswith("_")
        rest, in_place = _without_inplace_flag(func, rest, in_place)
        output = _Redirected.apply(inputs, lambda x: func(x, *rest, **kwargs), low, high)
        return inputs.copy_(output) if in_place and not inputs.is_leaf else output


def _without_inplace_flag(func: Any, rest: list[Any], in_place: bool) -> tuple[list[Any], bool]:
    """Rectifiers take the flag last: take a positional one off."""
    if func is not F.gelu and rest and isinstance(rest[-1], bool):
        return rest[:-1], in_place or rest[-1]
    return rest, in_place


class _Redirected(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, inputs: Tensor, rectifier: Callable[[Tensor], Tensor], low: float, high: float) -> Tensor:
        ctx.save_for_backward(inputs.clone())
        ctx.rectifier, ctx.low, ctx.high = rectifier, low, high
        return rectifier(inputs.clone())

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> tuple[Tensor, None, None, None]:
        (inputs,), (gradient,) = ctx.saved_tensors, gradients
        with torch.enable_grad():
            leaf = inputs.detach().requires_grad_()
            (usual,) = torch.autograd.grad(ctx.rectifier(leaf * 1), leaf, gradient)
        axes = tuple(range(1, gradient.ndim))
        stopped = usual.abs().amax(axes, keepdim=True) <= _VANISHED * gradient.abs().amax(axes, keepdim=True)
        back = ((inputs <= ctx.low) & (gradient < 0)) | ((inputs >= ctx.high) & (gradient > 0))
        return torch.where(stopped, gradient * back, usual), None, None, None
