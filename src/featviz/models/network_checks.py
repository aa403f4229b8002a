"""Networks that cannot be looked into, refused in one line that says what they are and what to do."""

from __future__ import annotations

import copy
import logging

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from featviz.errors import FeatvizError
from featviz.shapes import Shape

log = logging.getLogger(__name__)


def check_network(network: nn.Module) -> None:
    """Raise FeatvizError for TorchScript, and for modules that are quantized or lazy."""
    kind = type(network).__name__
    if isinstance(network, torch.jit.ScriptModule):
        hint = "give the network that it was made of, with the weights of its state_dict()"
        what = f"{kind} is a TorchScript program, whose layers cannot be read: {hint}"
        raise FeatvizError(what, setting="model", got=kind, hint=hint)
    for name, module in network.named_modules():
        tensors = [*module.parameters(recurse=False), *module.buffers(recurse=False)]
        where = f"'{name}' ({type(module).__name__})" if name else kind
        if any(is_lazy(tensor) for tensor in tensors):
            hint = "run the network once on a picture"
            what = f"{kind} has lazy modules, whose shapes are not known yet: {where}; {hint}"
            raise FeatvizError(what, setting="model", got=kind, hint=hint)
        if _is_quantized(module, tensors):
            hint = "give the network from before it was quantized"
            what = f"{kind} is quantized, and no gradient passes through it: {where}; {hint}"
            raise FeatvizError(what, setting="model", got=kind, hint=hint)


def check_numbers(network: nn.Module) -> None:
    """Raise FeatvizError for a network on the meta device: its layers can be listed, but it computes nothing."""
    for name, tensor in (*network.named_parameters(), *network.named_buffers()):
        if tensor.is_meta:
            kind = type(network).__name__
            hint = "build it on the CPU"
            what = f"{kind} is on the meta device and holds no numbers: '{name}'; {hint}"
            raise FeatvizError(what, setting="model", got=kind, hint=hint)


def first_convolution(network: nn.Module) -> tuple[str, nn.modules.conv._ConvNd] | None:
    """The first convolution of a network, with its name; None where it has none."""
    modules = network.named_modules()
    return next(((name, each) for name, each in modules if isinstance(each, nn.modules.conv._ConvNd)), None)


def check_axes(network: nn.Module, shape: Shape) -> None:
    """Raise FeatvizError for pictures where a network's first convolution takes films, and the other way round."""
    found = first_convolution(network)
    if found is None or isinstance(found[1], nn.Conv2d):
        takes_films = False
    else:
        takes_films = isinstance(found[1], nn.Conv3d)
        if isinstance(found[1], nn.Conv1d) and not shape.is_film:
            return  # it may stand behind an embedding of pictures: what is wrong is told by a pass
    if found and takes_films != shape.is_film:
        name, module = found
        kind, other = ("films", "pictures") if takes_films else ("pictures", "films")
        what = f"the network takes {kind}, not {other}: its first convolution, '{name}', is a {type(module).__name__}"
        expected = "frames, height and width, such as [16,112,112]" if takes_films else "px such as 224, or [36,64]"
        raise FeatvizError(what, setting="model.size", got=str(shape), expected=expected)


def _is_quantized(module: nn.Module, tensors: list[Tensor]) -> bool:
    packed = ".nn.quantized." in f"{type(module).__module__}." or ".nn.intrinsic.quantized." in type(module).__module__
    return packed or any(tensor.is_quantized for tensor in tensors)


def in_float32(network: nn.Module) -> nn.Module:
    """The network itself, or a copy in float32 where some of its weights are of another precision, as the log tells."""
    tensors = [*network.parameters(), *network.buffers()]
    others = {tensor.dtype for tensor in tensors if tensor.is_floating_point()} - {torch.float32}
    if not others:
        return network
    kinds = ", ".join(sorted(str(kind).removeprefix("torch.") for kind in others))
    log.info("%s has weights in %s: it is run in float32", type(network).__name__, kinds)
    return copy.deepcopy(network).float()
