"""A network whose derivative is that of its weights alone: what does not depend on the picture."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode
from typing_extensions import override

#: Element by element, and close to the identity where they are open.
RECTIFIERS = {
    *(F.relu, F.relu_, torch.relu, torch.relu_, Tensor.relu, Tensor.relu_, F.relu6, F.hardtanh, F.hardtanh_),
    *(F.leaky_relu, F.leaky_relu_, F.elu, F.elu_, F.selu, F.selu_, F.celu, F.celu_, torch.selu, torch.celu),
    *(F.prelu, torch.prelu, F.rrelu, F.rrelu_, F.softplus, F.threshold, torch.threshold, torch.threshold_),
    *(F.gelu, F.silu, F.hardswish, F.mish, F.softsign, F.tanh, torch.tanh, torch.tanh_, Tensor.tanh, Tensor.tanh_),
    *(torch.clamp, torch.clamp_, Tensor.clamp, Tensor.clamp_, torch.clip, torch.clip_, Tensor.clip, Tensor.clip_),
    *(torch.clamp_min, torch.clamp_min_, Tensor.clamp_min, Tensor.clamp_min_),
    *(torch.clamp_max, torch.clamp_max_, Tensor.clamp_max, Tensor.clamp_max_),
}
#: What others are multiplied by: squeeze-and-excitation, attention.
GATES = {
    *(F.sigmoid, torch.sigmoid, torch.sigmoid_, Tensor.sigmoid, Tensor.sigmoid_, F.hardsigmoid),
    *(F.softmax, torch.softmax, Tensor.softmax),
}


class Linearized(TorchFunctionMode):
    """Within it, gradients lead through a network as if it were linear; what it returns stays the same.

    As in *Visualizing Weights* (Voss et al. 2021, doi 10.23915/distill.00024.007), which multiplies out the weights
    between layers that are not adjacent, rectifiers count as the identity and max pooling as average pooling. Batch
    norms in eval mode are linear already. Gates (sigmoids and softmaxes, and with them squeeze-and-excitation and
    attention) count as constants of the picture that is passed, and layer, group and instance norms as their scale for
    it. Everything else has its own derivative there.
    """

    @override
    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        if not args and "input" in kwargs:
            args = (kwargs.pop("input"),)
        inputs = args[0] if args else None
        if "out" in kwargs or not (isinstance(inputs, Tensor) and inputs.requires_grad):
            return func(*args, **kwargs)
        if func in RECTIFIERS:
            return _identity(func, inputs, args, kwargs)
        if func in GATES:
            return func(*args, **kwargs).detach()
        replacement = _REPLACEMENTS.get(func)
        return replacement(*args, **kwargs) if replacement else func(*args, **kwargs)


def _with_value(linear: Tensor, value: Tensor) -> Tensor:
    """The value of one tensor with the derivative of the other."""
    return linear + (value - linear).detach()


def _identity(func: Any, inputs: Tensor, args: Any, kwargs: dict[str, Any]) -> Tensor:
    overwrites = func.__name__.endswith("_")
    first, rest = inputs.detach().clone(), args[1:]
    output = _with_value(inputs, func(first, *rest, **kwargs))
    in_place = overwrites or kwargs.get("inplace") or (rest and rest[-1] is True)  # rectifiers take it last
    return inputs.copy_(output) if in_place else output


def _average_pool(
    inputs: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, *rest: Any, **more: Any
) -> Any:
    dilation = more.get("dilation", rest[0] if rest else 1)
    value = F.max_pool2d(inputs, kernel_size, stride, padding, *rest, **more)
    if not isinstance(value, Tensor) or dilation not in (1, (1, 1), [1, 1]):
        return value  # with indices, or of a window with holes: as it is
    ceil = more.get("ceil_mode", rest[1] if len(rest) > 1 else False)
    linear = F.avg_pool2d(inputs, kernel_size, stride, padding, ceil, count_include_pad=False)
    return _with_value(linear, value)


def _adaptive_average_pool(inputs: Tensor, *args: Any, **kwargs: Any) -> Any:
    value = F.adaptive_max_pool2d(inputs, *args, **kwargs)
    size = kwargs.get("output_size", args[0] if args else None)
    return _with_value(F.adaptive_avg_pool2d(inputs, size), value) if isinstance(value, Tensor) else value


def _attention(query: Tensor, key: Tensor, *args: Any, **kwargs: Any) -> Any:
    return F.scaled_dot_product_attention(query.detach(), key.detach(), *args, **kwargs)


def _multi_head_attention(query: Tensor, key: Tensor, *args: Any, **kwargs: Any) -> Any:
    return F.multi_head_attention_forward(query.detach(), key.detach(), *args, **kwargs)


def _glu(inputs: Tensor, dim: int = -1) -> Tensor:
    value, gate = inputs.chunk(2, dim)
    return value * gate.sigmoid().detach()


def _layer_norm(
    inputs: Tensor, normalized_shape: Any, weight: Tensor | None = None, bias: Tensor | None = None, eps: float = 1e-5
) -> Tensor:
    axes = tuple(range(inputs.ndim - len(normalized_shape), inputs.ndim))
    value = _standardized(inputs, axes, eps)
    value = value if weight is None else value * weight
    return value if bias is None else value + bias


def _group_norm(
    inputs: Tensor, num_groups: int, weight: Tensor | None = None, bias: Tensor | None = None, eps: float = 1e-5
) -> Tensor:
    grouped = inputs.reshape(len(inputs), num_groups, -1)
    value = _standardized(grouped, (2,), eps).reshape(inputs.shape)
    shape = (1, -1, *[1] * (inputs.ndim - 2))
    value = value if weight is None else value * weight.view(shape)
    return value if bias is None else value + bias.view(shape)


def _standardized(values: Tensor, axes: tuple[int, ...], eps: float) -> Tensor:
    centered = values - values.mean(axes, keepdim=True)
    variance = centered.detach().square().mean(axes, keepdim=True)
    return centered / (variance + eps).sqrt()


_REPLACEMENTS: dict[Any, Callable[..., Any]] = {
    F.max_pool2d: _average_pool,
    torch.max_pool2d: _average_pool,
    F.adaptive_max_pool2d: _adaptive_average_pool,
    F.scaled_dot_product_attention: _attention,
    F.multi_head_attention_forward: _multi_head_attention,
    F.glu: _glu,
    F.layer_norm: _layer_norm,
    F.group_norm: _group_norm,
}
