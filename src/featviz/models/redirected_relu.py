"""Gradients through rectifiers that are closed, so that a filter that does not answer to the start can learn to.

After lucid's redirected ReLU gradients (Olah et al. 2017; ``redirected_relu_grad`` in tensorflow/lucid).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from typing_extensions import override

from featviz.models.changed_gradients import ChangedGradients

#: From a rectifier's further arguments to the values below and above which it does not lead towards its open part.
Bounds = Callable[..., tuple[Any, Any]]


def _always(low: float, high: float = math.inf) -> Bounds:
    return lambda *_, **__: (low, high)


def _between(min_val: float = -1.0, max_val: float = 1.0) -> tuple[float, float]:
    return min_val, max_val


def _above(threshold: float, *_: float, **__: float) -> tuple[float, float]:
    return threshold, math.inf


def _below(max: Any) -> tuple[float, Any]:
    return -math.inf, max


def _clamped(min: Any = None, max: Any = None) -> tuple[Any, Any]:  # arguments are named as in torch
    return -math.inf if min is None else min, math.inf if max is None else max


# On the far side of its dip below zero, a rectifier leads away from its open part: low is where the dip is deepest.
_RECTIFIERS: list[tuple[Bounds, list[Callable[..., Any]]]] = [
    (_always(0.0), [F.relu, F.relu_, torch.relu, torch.relu_, Tensor.relu, Tensor.relu_]),
    (_always(0.0, 6.0), [F.relu6]),
    (_always(-3.0, 3.0), [F.hardsigmoid]),
    (_always(-1.5), [F.hardswish]),
    (_always(-0.7517), [F.gelu]),
    (_always(-1.2784), [F.silu]),
    (_always(-1.1924), [F.mish]),
    (_between, [F.hardtanh, F.hardtanh_]),
    (_above, [F.threshold, torch.threshold, torch.threshold_]),
    (_clamped, [torch.clamp, torch.clamp_, Tensor.clamp, Tensor.clamp_]),
    (_clamped, [torch.clip, torch.clip_, Tensor.clip, Tensor.clip_]),
    (_clamped, [torch.clamp_min, torch.clamp_min_, Tensor.clamp_min, Tensor.clamp_min_]),
    (_below, [torch.clamp_max, torch.clamp_max_, Tensor.clamp_max, Tensor.clamp_max_]),
]
_DIPS = {F.hardswish, F.gelu, F.silu, F.mish}
_BOUNDS = {function: bounds for bounds, functions in _RECTIFIERS for function in functions}
_VANISHED = 1e-6  # a gradient below this share of what came in counts as zero


class RedirectedReLU(ChangedGradients):
    """Within it, where a rectifier would stop or turn away the whole gradient of a picture, it lets it through instead.

    Works for modules and for functions called in ``forward``; the forward values are untouched. Only gradients pass
    that push a value back towards the open part: one that is held at its upper end and wants up has nothing to gain.
    What one picture gets does not depend on the others of the batch, which is the first axis. Rectifiers that a network
    writes as a product (``x * sigmoid(x)``) are left alone.
    """

    @override
    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        bounds = _BOUNDS.get(func)
        inputs = args[0] if args else kwargs.get("input")
        if bounds is None or "out" in kwargs or not (torch.is_tensor(inputs) and inputs.requires_grad and inputs.ndim):
            return func(*args, **kwargs)
        kwargs.pop("input", None)
        rest = list(args[1:])
        flag = rest.pop() if rest and isinstance(rest[-1], bool) else False  # rectifiers take it last
        overwrites = func.__name__.endswith("_")
        in_place = kwargs.pop("inplace", flag) or overwrites
        low, high = bounds(*rest, **kwargs)

        def rectifier(x: Tensor) -> Tensor:
            return func(x.clone() if overwrites else x, *rest, **kwargs)

        output = _Redirected.apply(inputs, rectifier, low, high, func in _DIPS)
        return inputs.copy_(output) if in_place else output


class _Redirected(torch.autograd.Function):
    @staticmethod
    @override
    def forward(
        ctx: Any, inputs: Tensor, rectifier: Callable[[Tensor], Tensor], low: Any, high: Any, dips: bool
    ) -> Tensor:
        ctx.low, ctx.high, ctx.dips = low, high, dips
        with torch.enable_grad():
            ctx.inputs = inputs.clone().requires_grad_()  # the network may overwrite its own
            ctx.output = rectifier(ctx.inputs)
        return ctx.output.detach()

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> tuple[Tensor, None, None, None, None]:
        (gradient,), inputs = gradients, ctx.inputs.detach()
        (plain,) = torch.autograd.grad(ctx.output, ctx.inputs, gradient, retain_graph=True)
        leads = plain * (plain.sign() * gradient > 0) if ctx.dips else plain
        stopped = _largest(leads) <= _VANISHED * _largest(gradient)
        if not stopped.any():
            return plain, None, None, None, None
        back = ((inputs <= ctx.low) & (gradient < 0)) | ((inputs >= ctx.high) & (gradient > 0))
        return torch.where(stopped & back, gradient, plain), None, None, None, None


def _largest(gradient: Tensor) -> Tensor:
    """The largest magnitude in each picture, (N, 1, ...)."""
    if gradient.ndim == 1:
        return gradient.abs()
    axes = tuple(range(1, gradient.ndim))
    return torch.maximum(gradient.amax(axes, keepdim=True), -gradient.amin(axes, keepdim=True))
