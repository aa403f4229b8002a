"""Which network of a training is looked at, and its copy, on which everything is tried."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import reduce
from typing import Any

from torch import Tensor, nn

from featviz.errors import FeatvizError, one_line
from featviz.models.model import set_eval
from featviz.models.network_checks import check_network

#: What holds another module and computes the same, by the name of the attribute: DataParallel,
#: DistributedDataParallel and AveragedModel (of moving averages), and what torch.compile returns.
WRAPPERS = {"module": ("DataParallel", "DistributedDataParallel", "AveragedModel"), "_orig_mod": ("OptimizedModule",)}
SHARDED = ("FullyShardedDataParallel", "FSDPModule", "DeepSpeedEngine")

Named = str | Callable[[Any], nn.Module] | None


def unwrapped(module: nn.Module) -> nn.Module:
    """The module inside wrappers that compute the same."""
    kind = type(module).__name__
    for attribute, kinds in WRAPPERS.items():
        if kind in kinds:
            return unwrapped(getattr(module, attribute))
    return module


def watched_network(module: nn.Module, named: Named = None) -> tuple[str, nn.Module]:
    """The network that is looked at, and where it was found.

    Args:
        module: what is trained: a LightningModule, or a network itself.
        named: the attribute of the module that is meant, ``net`` or ``parts.net``; or a function of the module that
            returns it. Without it, the only child of a LightningModule that has parameters, or else the module itself.

    Raises:
        FeatvizError: there is no such attribute, it is no network, or its weights are divided among devices.
    """
    module = unwrapped(module)
    where, found = _named(module, named) if named is not None else _default(module)
    network = unwrapped(found)
    _check_whole(network)
    return where, network


def _named(module: nn.Module, named: str | Callable[[Any], nn.Module]) -> tuple[str, nn.Module]:
    kind = type(module).__name__
    found: Any
    if isinstance(named, str):
        where, found = f"{kind}.{named}", reduce(_part, named.split("."), module)
    else:
        where, found = f"what network returns for {kind}", named(module)
    if not isinstance(found, nn.Module):
        children = [name for name, _ in module.named_children()]
        what = f"network={named}: {kind} has no such module" if isinstance(named, str) else f"{where} is no network"
        raise FeatvizError(what, setting="network", got=named, known=children)
    return where, found


def _part(module: Any, name: str) -> Any:
    return getattr(module, name, None)


def _default(module: nn.Module) -> tuple[str, nn.Module]:
    kind = type(module).__name__
    if not hasattr(module, "training_step"):  # a network by itself
        return kind, module
    children = [(name, child) for name, child in module.named_children() if any(True for _ in child.parameters())]
    if len(children) == 1 and not list(module.parameters(recurse=False)):
        name, child = children[0]
        return f"{kind}.{name}", child
    return kind, module


def _check_whole(network: nn.Module) -> None:
    """Refuse a network of whose weights each process has a part."""
    kinds = {base.__name__ for module in network.modules() for base in type(module).__mro__}
    parts = {type(parameter).__name__ for parameter in network.parameters()}
    if kinds & set(SHARDED) or "DTensor" in parts:
        what = f"{type(network).__name__} is divided among processes (FSDP or the like), and none has the whole"
        raise FeatvizError(what, setting="network", got=type(network).__name__, expected="DDP, or one device")


def snapshot(network: nn.Module) -> nn.Module:
    """A copy in eval mode, on the same device, that shares nothing with the network.

    Hooks of the training's own stay behind: they would be called by passes that are none of the training's. Those that
    are part of what a module computes (torch's weight norm, spectral norm, pruning) are copied.

    Raises:
        FeatvizError: the network cannot be copied.
    """
    check_network(network)
    try:
        copied = copy.deepcopy(network, _left_behind(network))
    except Exception as error:  # deepcopy runs whatever the network's parts define
        kind = type(network).__name__
        raise FeatvizError(f"{kind} cannot be copied: {one_line(error)}", setting="network", got=kind) from error
    for module in copied.modules():
        _drop_hooks(module)
    set_eval(copied)
    return copied


def _left_behind(network: nn.Module) -> dict[int, Any]:
    """What is not copied, for deepcopy: the trainer, and tensors of the last pass that a module has kept."""
    kept: dict[int, Any] = {}
    for module in network.modules():
        for name, value in vars(module).items():
            if name in ("_trainer", "_fabric") and value is not None:
                kept[id(value)] = None
            elif isinstance(value, Tensor) and value.grad_fn is not None:
                kept[id(value)] = value.detach().clone()
    return kept


def _drop_hooks(module: nn.Module) -> None:
    for name, hooks in vars(module).items():
        if name.endswith("_hooks") and isinstance(hooks, dict):
            for key, hook in list(hooks.items()):
                if callable(hook) and not type(hook).__module__.startswith("torch."):
                    del hooks[key]
