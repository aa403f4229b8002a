"""Arguments that a network's forward takes beside the pictures, such as whose neurons are read out."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from featviz.errors import FeatvizError
from featviz.models.hooks import device_of

Arguments = Mapping[str, Any]


class _Give:
    """Hands over arguments in each call of a network; a list of numbers becomes a row of a tensor for each picture."""

    def __init__(self, arguments: Arguments) -> None:
        self.arguments = dict(arguments)

    def __call__(self, network: nn.Module, inputs: tuple[Any, ...], given: dict[str, Any]) -> Any:
        count = len(inputs[0])
        values = {name: _in_rows(value, count, network) for name, value in self.arguments.items()}
        return inputs, {**values, **given}


def _in_rows(value: Any, count: int, network: nn.Module) -> Any:
    if not isinstance(value, list | tuple) or not all(isinstance(number, int | float) for number in value):
        return value
    row: Tensor = torch.tensor([float(number) for number in value], device=device_of(network))
    return row.expand(count, -1)


def given_arguments(network: nn.Module) -> list[str]:
    """The arguments that are given to a network and to modules inside it, in words."""
    hooks = [hook for module in network.modules() for hook in module._forward_pre_hooks.values()]
    return [repr(sorted(hook.arguments.items())) for hook in hooks if isinstance(hook, _Give)]


def give_arguments(network: nn.Module, arguments: Arguments) -> None:
    """Have each call of a network get these arguments; its modules keep their names.

    Raises:
        FeatvizError: its forward takes none of such a name.
    """
    if not arguments:
        return
    parameters = list(inspect.signature(network.forward).parameters.values())
    names = [one.name for one in parameters[1:] if one.kind in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY)]
    if not any(one.kind is one.VAR_KEYWORD for one in parameters):
        for name in arguments:
            if name not in names:
                what = f"{type(network).__name__}.forward takes no '{name}'"
                raise FeatvizError(what, setting=f"model.forward.{name}", got=name, known=names)
    network.register_forward_pre_hook(_Give(arguments), with_kwargs=True)


def check_keys(network: nn.Module, arguments: Arguments, picture: Tensor) -> None:
    """Try the network on a picture; FeatvizError, which tells the nearest, for an argument that is no key it knows.

    Its keys are those of its ``nn.ModuleDict`` and ``nn.ParameterDict``.
    """
    told = {name: value for name, value in arguments.items() if isinstance(value, str)}
    if not told:
        return
    try:
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            network(picture.to(device_of(network)))
    except Exception as error:
        containers = [m for m in network.modules() if isinstance(m, nn.ModuleDict | nn.ParameterDict)]
        known = list(dict.fromkeys(key for container in containers for key in container))
        for name, value in told.items():
            if known and value not in known:
                setting = f"model.forward.{name}"
                raise FeatvizError(f"unknown {name} '{value}'", setting=setting, got=value, known=known) from error
