"""Batch norms folded into the convolutions before them: the same numbers, with less to compute.

In eval mode a batch norm multiplies and shifts each channel by fixed numbers, which its convolution can do just as well
(Markuš 2018; ``torch.nn.utils.fuse_conv_bn_eval``).
"""

from __future__ import annotations

import copy
from collections import Counter, OrderedDict
from collections.abc import Collection
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights


def folded(network: nn.Module, keep: Collection[str], example: Tensor) -> nn.Module:
    """A copy of a frozen network whose batch norms are folded, but for those behind a convolution in ``keep``.

    What the modules hand out stays the same, except for the convolutions that were folded into. ``example`` is an
    input, (1, C, H, W), from which it is seen what follows what.
    """
    other = copy.deepcopy(network)
    for convolution, norm in _pairs(other, example).items():
        if convolution not in keep:
            _fold(other, convolution, norm)
    return other


def _pairs(network: nn.Module, example: Tensor) -> dict[str, str]:
    """Each convolution whose output, as it is, goes into a batch norm, with that batch norm."""
    made: dict[int, tuple[str, Tensor, int]] = {}
    pairs: dict[str, str] = {}
    calls: Counter[str] = Counter()

    def note(name: str) -> Any:
        def after(_module: nn.Module, _inputs: Any, output: Tensor) -> None:
            calls[name] += 1
            made[id(output)] = name, output, output._version

        return after

    def look(name: str) -> Any:
        def before(_module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            calls[name] += 1
            source, _, version = made.get(id(inputs[0]), ("", None, -1))
            if version == inputs[0]._version:  # otherwise something has changed it in place
                pairs[source] = name

        return before

    modules = dict(network.named_modules())
    convolutions = [name for name, m in modules.items() if isinstance(m, nn.Conv2d)]
    norms = [name for name, m in modules.items() if isinstance(m, nn.BatchNorm2d) and m.running_mean is not None]
    handles = [modules[name].register_forward_hook(note(name)) for name in convolutions]
    handles += [modules[name].register_forward_pre_hook(look(name)) for name in norms]
    try:
        with torch.no_grad():
            network(example)
    finally:
        for handle in handles:
            handle.remove()
    owners = Counter(id(parameter) for m in modules.values() for parameter in m._parameters.values())
    return {c: n for c, n in pairs.items() if calls[c] == calls[n] == 1 and owners[id(modules[c].weight)] == 1}


def _fold(network: nn.Module, convolution: str, norm: str) -> None:
    conv, bn = network.get_submodule(convolution), network.get_submodule(norm)
    assert isinstance(conv, nn.Conv2d)
    assert isinstance(bn, nn.BatchNorm2d)
    assert bn.running_mean is not None
    assert bn.running_var is not None
    weight, bias = fuse_conv_bn_weights(  # in double precision, so that numbers are rounded once
        conv.weight.detach().double(),
        _double(conv.bias),
        bn.running_mean.double(),
        bn.running_var.double(),
        bn.eps,
        _double(bn.weight),
        _double(bn.bias),
    )
    conv.weight, conv.bias = (nn.Parameter(t.to(conv.weight.dtype), requires_grad=False) for t in (weight, bias))
    # timm's batch norms have an activation inside, which stays, under the same names
    inside = OrderedDict(bn.named_children())
    network.set_submodule(norm, nn.Sequential(inside) if inside else nn.Identity())


def _double(numbers: Tensor | None) -> Tensor | None:
    return None if numbers is None else numbers.detach().double()
