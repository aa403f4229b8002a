"""A pass through a network that ends with the last of the modules asked for, and returns their outputs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from featviz.models.output_keys import OUTPUT, module_and_key, tensor_at
from featviz.models.speed.inplace_relu import overwritten_later


class _LastModuleDone(Exception):
    """Ends a pass: what comes after the last module asked for is not computed."""


class PartialPass:
    """Runs a network up to the last of some modules; {name: output} comes out.

    ``calls`` gives how often a pass calls each module, by name, in the order in which they finish: of a module that is
    called several times, the last output is taken; behind ``act:1``, that of this call; behind ``head[out]``, the
    tensor of this key. Hooks do it, until ``close``.
    What has not been called as often is left out. With ``linked`` the network goes on with copies of the outputs, so
    that gradients lead from later ones to earlier ones; of dicts and tuples it does not.
    """

    def __init__(self, network: nn.Module, calls: Mapping[str, int], linked: bool = False) -> None:
        self.network = network
        self._linked = linked
        self._expected = dict(calls)
        self._last = next(reversed(self._expected), None)
        self._outputs: dict[str, Tensor] = {}
        self._counts: dict[str, int] = {}
        self._active = False  # several may share a network: each takes what its own passes return
        modules = dict(network.named_modules())
        self._handles: list[RemovableHandle] = []
        for name in calls:
            module, key = module_and_key(name, modules)
            one_call = name != f"{module or OUTPUT}{key}"
            self._handles.append(modules[module].register_forward_hook(self._hook(name, key, one_call)))

    def __call__(self, pictures: Tensor) -> dict[str, Tensor]:
        """Run the network on normalized pictures, (N, C, H, W)."""
        self._outputs, self._counts, self._active = {}, {}, True
        try:
            self.network(pictures)
        except _LastModuleDone:  # (contextlib.suppress would end what torch.compile follows)
            pass
        finally:
            outputs, self._outputs, self._active = self._outputs, {}, False
        return outputs

    def _hook(self, name: str, key: str, one_call: bool) -> Any:
        expected, last = self._expected[name], name == self._last

        def hook(_module: nn.Module, _inputs: Any, returned: Any) -> Any:
            output = tensor_at(returned, key)
            if not self._active or output is None:
                return None
            self._counts[name] = self._counts.get(name, 0) + 1
            if self._counts[name] < expected or (one_call and self._counts[name] > expected):
                return None
            # A layer after this one may overwrite its output in place (ReLU), unless nothing is run after it.
            self._outputs[name] = output.clone() if overwritten_later(output) or not last else output
            if last:
                raise _LastModuleDone
            return self._outputs[name].clone() if self._linked and output is returned else None

        return hook

    def close(self) -> None:
        """Take the hooks off the network."""
        while self._handles:
            self._handles.pop().remove()
