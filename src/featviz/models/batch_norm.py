"""Batch norms in eval mode as what they are: each channel times a scale plus a shift.

torch's own CPU kernel reads the gradient of a single picture in the wrong order where its channels come last in memory
(the gradient of ``flatten(2).transpose(1, 2)``), so that a picture alone would get another gradient than beside others.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.modules.batchnorm import _BatchNorm
from torch.overrides import TorchFunctionMode
from typing_extensions import override

from featviz.models.comparison import same
from featviz.models.hooks import forward_hooks, submodules


class ScaleShift(nn.Module):
    """Takes the place of a batch norm in eval mode; an activation inside of it (timm's) stays, under its name."""

    scale: Tensor
    shift: Tensor

    def __init__(self, norm: _BatchNorm) -> None:
        super().__init__()
        assert norm.running_mean is not None
        assert norm.running_var is not None
        scale, shift = scale_and_shift(norm.running_mean, norm.running_var, norm.weight, norm.bias, norm.eps)
        self.register_buffer("scale", scale)
        self.register_buffer("shift", shift)
        for name, child in norm.named_children():
            self.add_module(name, child)

    @override
    def forward(self, x: Tensor) -> Tensor:
        x = _scaled(x, self.scale, self.shift)
        for child in self.children():
            x = child(x)
        return x


def eval_norms(network: nn.Module) -> list[str]:
    """The batch norms of a network that are in eval mode and use running statistics, by name."""
    norms = [(n, m) for n, m in network.named_modules() if isinstance(m, _BatchNorm) and not m.training]
    return [name for name, norm in norms if norm.running_mean is not None and norm.running_var is not None]


@torch.no_grad()
def replace_norms(network: nn.Module, pictures: Tensor) -> None:
    """Replace batch norms in eval mode, in place, by a scale and a shift each.

    Those alone that return the same of ``pictures``, (1, C, H, W): a class derived from batch norm may do more.
    """
    replacements: dict[str, ScaleShift | None] = {}
    names = eval_norms(network)
    if not names:
        return

    def compare(name: str) -> Any:
        def hook(norm: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            replacement = replacements.get(name, ScaleShift(cast(_BatchNorm, norm)))
            equal = replacement is not None and same(output, copy.deepcopy(replacement)(inputs[0]))
            replacements[name] = replacement if equal else None

        return hook

    with forward_hooks(submodules(network, names), compare):
        network(pictures)
    for name, replacement in replacements.items():
        if replacement is not None:
            network.set_submodule(name, replacement)


class BatchNormsAsScales(TorchFunctionMode):
    """Within it, every batch norm in eval mode, module or function, is computed as a scale and a shift."""

    @override
    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        instead = _INSTEAD.get(func)
        output = instead(*args, **(kwargs or {})) if instead else None
        return func(*args, **(kwargs or {})) if output is None else output


def scale_and_shift(
    mean: Tensor, var: Tensor, weight: Tensor | None, bias: Tensor | None, eps: float
) -> tuple[Tensor, Tensor]:
    """What a batch norm in eval mode multiplies each channel by, and adds; computed in double precision."""
    scale = (var.detach().double() + eps).rsqrt()
    scale = scale if weight is None else scale * weight.detach().double()
    shift = -mean.detach().double() * scale
    shift = shift if bias is None else shift + bias.detach().double()
    return scale.to(mean.dtype), shift.to(mean.dtype)


def _scaled(x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    shape = (1, -1, *[1] * (x.ndim - 2))
    return torch.addcmul(shift.view(shape), x, scale.view(shape)).to(x.dtype)


def _functional(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,  # noqa: ARG001
    eps: float = 1e-5,
) -> Tensor | None:
    """As ``F.batch_norm``, whose arguments these are; None where it takes its numbers from the batch."""
    if training or running_mean is None or running_var is None:
        return None
    return _scaled(input, *scale_and_shift(running_mean, running_var, weight, bias, eps))


def _aten(
    input: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    training: bool,
    momentum: float,
    eps: float,
    *_: Any,
) -> Tensor | None:
    """As ``torch.batch_norm``."""
    return _functional(input, running_mean, running_var, weight, bias, training, momentum, eps)


_INSTEAD: dict[Callable[..., Any], Callable[..., Tensor | None]] = {F.batch_norm: _functional, torch.batch_norm: _aten}
