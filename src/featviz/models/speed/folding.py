"""Batch norms folded into the convolutions before them: the same numbers, with less to compute.

In eval mode a batch norm multiplies and shifts each channel by fixed numbers, which its convolution can do just as well
(Markuš 2018; ``torch.nn.utils.fuse_conv_bn_eval``).
"""

from __future__ import annotations

import copy
from collections import Counter, OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.multiprocessing.reductions import StorageWeakRef
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.utils.fusion import fuse_conv_bn_weights

from featviz.models.batch_norm import eval_norms
from featviz.models.comparison import same
from featviz.models.speed.data_flow import Readers, in_use


def fold(network: nn.Module, pairs: Mapping[str, str]) -> None:
    """Fold batch norms, in place: ``pairs`` gives the name of each convolution with that of its batch norm.

    What the modules return stays the same, except for the convolutions that were folded into.
    """
    for convolution, norm in pairs.items():
        conv, bn = network.get_submodule(convolution), network.get_submodule(norm)
        assert isinstance(conv, nn.Conv2d)
        assert isinstance(bn, _BatchNorm)
        network.set_submodule(norm, _fold(conv, bn))


def foldable(network: nn.Module, pictures: Tensor) -> dict[str, str]:
    """Each convolution whose output nothing but one batch norm reads, with that batch norm, by their names.

    Every operation of a pass of ``pictures``, (1, C, H, W), is watched.
    """
    return _PairSearch(network).run(pictures)


@dataclass
class _Convolved:
    """A convolution's last call."""

    inputs: Tensor
    output: Tensor
    version: int  # which operations in place count up


@dataclass
class _Kind:
    """What a convolution takes; its numbers are not kept."""

    shape: torch.Size
    dtype: torch.dtype
    device: torch.device


class _PairSearch:
    """Watches a pass for convolutions whose output goes nowhere but into a batch norm."""

    def __init__(self, network: nn.Module) -> None:
        self.network = network
        self.modules = dict(network.named_modules())
        self.readers = Readers()
        self.calls: Counter[str] = Counter()
        self.convolved: dict[str, _Convolved] = {}
        self.storages: dict[str, StorageWeakRef] = {}
        self.pairs: dict[str, str] = {}
        self.inputs: dict[str, _Kind] = {}

    @torch.no_grad()
    def run(self, pictures: Tensor) -> dict[str, str]:
        handles = []
        for name in (n for n, m in self.modules.items() if isinstance(m, nn.Conv2d)):
            self.readers.watch(name, self.modules[name].weight)
            handles.append(self.modules[name].register_forward_pre_hook(self._before_convolution(name)))
            handles.append(self.modules[name].register_forward_hook(self._after_convolution(name)))
        for name in eval_norms(self.network):
            handles.append(self.modules[name].register_forward_pre_hook(self._before_norm(name)))
            handles.append(self.modules[name].register_forward_hook(self._after_norm(name)))
        try:
            with self.readers:
                self.network(pictures)
        finally:
            for handle in handles:
                handle.remove()
        self.convolved.clear()
        return {
            conv: norm for conv, norm in self.pairs.items() if self._is_alone(conv, norm) and self._equal(conv, norm)
        }

    def _equal(self, convolution: str, norm: str) -> bool:
        return _equal(self.modules[convolution], self.modules[norm], self.inputs[convolution])

    def _is_alone(self, convolution: str, norm: str) -> bool:
        """Whether nothing else uses the convolution's output, in this pass or, since the network keeps it, later."""
        once = self.calls[convolution] == self.calls[norm] == 1
        return once and convolution not in self.readers.read and not in_use(self.storages[convolution])

    def _before_convolution(self, name: str) -> Any:
        def hook(_module: nn.Module, _inputs: Any) -> None:
            self.readers.allowed = name  # of its weights

        return hook

    def _after_convolution(self, name: str) -> Any:
        def hook(_module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            self.calls[name] += 1
            self.readers.allowed = None
            self.storages[name] = self.readers.watch(name, output)
            self.convolved[name] = _Convolved(inputs[0], output, output._version)

        return hook

    def _before_norm(self, name: str) -> Any:
        def hook(_module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            self.calls[name] += 1
            self.readers.allowed = next((n for n, c in self.convolved.items() if c.output is inputs[0]), None)

        return hook

    def _after_norm(self, name: str) -> Any:
        def hook(_norm: nn.Module, _inputs: Any, _output: Tensor) -> None:
            source = self.readers.allowed
            if source is None:
                return
            call = self.convolved.pop(source)
            if call.version == call.output._version:
                self.pairs[source] = name
                self.inputs[source] = _Kind(call.inputs.shape, call.inputs.dtype, call.inputs.device)
            self.readers.allowed = None

        return hook


def _equal(convolution: nn.Module, norm: nn.Module, inputs: _Kind) -> bool:
    """Whether both modules, folded, return the same of noise: their classes may do more than their base classes."""
    conv, bn = copy.deepcopy(convolution), copy.deepcopy(norm)
    assert isinstance(conv, nn.Conv2d)
    assert isinstance(bn, _BatchNorm)
    for module in (conv, *bn.modules()):  # hooks of the user's would be called with noise
        module._forward_pre_hooks.clear()
        module._forward_hooks.clear()
    noise = torch.randn(inputs.shape, generator=torch.Generator().manual_seed(0)).to(inputs.device, inputs.dtype)
    expected = bn(conv(noise)).clone()
    inside = _fold(conv, bn)
    return same(expected, inside(conv(noise)))


def _fold(conv: nn.Conv2d, bn: _BatchNorm) -> nn.Module:
    """Fold a batch norm into a convolution; what is left of it comes out."""
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
    return nn.Sequential(inside) if inside else nn.Identity()


def _double(numbers: Tensor | None) -> Tensor | None:
    return None if numbers is None else numbers.detach().double()
