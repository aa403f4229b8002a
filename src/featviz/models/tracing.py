"""Forward passes that show what each module of a network returns, and how often it is called."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from math import prod
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from featviz.errors import FeatvizError, one_line
from featviz.models.hooks import device_of, forward_hooks, submodules
from featviz.models.input_size import fitting_sizes
from featviz.models.layers import Layer, Trace
from featviz.models.layouts import Layout, find_layout, find_tokens_first_layout, has_proportions
from featviz.models.model import Model
from featviz.models.network_checks import first_convolution
from featviz.models.output_keys import OUTPUT, keyed_tensors, module_and_key
from featviz.models.position_order import find_unordered
from featviz.models.stages import find_stages
from featviz.shapes import Shape

WIDER = 64  # px added to the width of the second trace
MULTIPLES = (1, 2, 4, 8, 16, 32, 64)


def trace(model: Model) -> Trace:
    """Run the network on a picture of noise and on a wider gray one, and note what each module hands out."""
    network, shape = model.network, model.shape
    gray, noise = torch.zeros(1, model.in_channels, *shape), model.normalization()(model.noise())
    returning = list[str]()
    try:
        square = _run(network, noise, returning)
    except Exception as error:
        raise _refused(model, error) from error
    try:
        wide = _run(network, F.pad(gray, (0, WIDER)))
    except Exception:
        wide = None  # a network that takes one size only says so by raising: pictures are then resampled to it
    multiple = 1 if wide is None else _multiple(network, model.in_channels, shape)
    tokens_first = _tokens_first(network, noise, square)
    layers = _layers(network, square, wide, tokens_first, shape)
    for name in find_unordered(network, layers, model.in_channels, shape):
        layers[name] = _unordered(layers[name])
    traced = Trace(layers, shape, wide is not None, multiple=multiple, aliases=_aliases(network), model=model)
    traced.single_calls, traced.finished = _single_calls(network, square, wide, layers, tokens_first, shape)
    traced.varying = _varying(square, _run(network, gray) if wide is None else wide)
    traced.stages = find_stages(model, traced)
    traced.returned = layers[returning[0]] if returning else _returned(network, noise, wide is None)
    traced.finished[OUTPUT] = len(square)
    return traced


def _returned(network: nn.Module, noise: Tensor, one_size: bool) -> Layer | None:
    """What the network itself returns as a layer, where that is a tensor which none of its modules returns."""
    found = dict[str, tuple[int, ...]]()
    for kind, picture in (("noise", noise), *([] if one_size else [("wide", F.pad(noise, (0, WIDER)))])):
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            returned = network(picture.to(device_of(network)))
        if not isinstance(returned, Tensor) or hasattr(network, OUTPUT):
            return None
        found[kind] = tuple(returned.shape)
    shape = found["noise"]
    layout = (
        find_layout(shape, found.get("wide"), [], network, picture=Shape(noise.shape[2:]))
        if shape[:1] == (1,)
        else None
    )
    told = f"a tensor of shape {list(shape)}"
    return Layer(OUTPUT, type(network).__name__, 1, shape, layout, told, has_weights=False)


def _refused(model: Model, error: Exception) -> FeatvizError:
    """What to say of a network that does not take its pictures: the sides that it takes, or else its own error."""
    network, shape = model.network, model.shape
    what = f"model {model.name} does not take {'films' if shape.is_film else 'pictures'} of "
    what += f"{model.in_channels} x {shape.each()}"
    if other := _other_data(network):
        return FeatvizError(f"{what}: {other}", setting="model", got=model.name, hint=other)
    sizes = [_as_typed(each) for each in fitting_sizes(network, model.in_channels, shape)]
    if not sizes:
        hint = _hint(error, shape)
        return FeatvizError(f"{what}: {one_line(error)}", setting="model", got=model.name, hint=hint)
    expected = f"model.size={' or '.join(filter(None, (', '.join(sizes[:-1]), sizes[-1])))}"
    return FeatvizError(what, setting="model.size", got=shape.size, expected=expected)


def _hint(error: Exception, shape: Shape) -> str:
    """What to type where the network's own error says that an argument is missing, or numbers do not fit."""
    if missing := re.search(r"missing \d+ required .*?'(\w+)'", str(error)):
        return f"model.forward.{missing[1]}=... gives it one"
    wanted = "'[frames,height,width]'" if shape.is_film else "px, or '[height,width]'"
    return f"model.size={wanted} says what it takes" if "shape" in str(error) else ""


def _as_typed(shape: Shape) -> str:
    return str(shape) if shape.is_square else f"[{','.join(map(str, shape))}]"


def _other_data(network: nn.Module) -> str:
    """What a network takes whose first convolution is none of pictures; empty for others."""
    name, first = first_convolution(network) or ("", None)
    if not isinstance(first, nn.Conv1d):
        return ""
    return f"its first convolution, '{name}' ({type(first).__name__}), takes signals (N, C, L)"


def _varying(noise: list[tuple[str, Any]], gray: list[tuple[str, Any]]) -> dict[str, tuple[int, int]]:
    """How often a pass calls those modules that are not called as often for a picture of noise as for a gray one."""
    counts = Counter(name for name, _ in noise), Counter(name for name, _ in gray)
    return {n: (counts[0][n], counts[1][n]) for n in counts[0] | counts[1] if counts[0][n] != counts[1][n]}


def _multiple(network: nn.Module, channels: int, shape: Shape) -> int:
    """The number of px that sides must be a multiple of, as those of U-Nets must; 1 where all sizes are taken."""
    for multiple in MULTIPLES:
        odd = [multiple * (side // multiple // 2 * 2 + 1) for side in shape.frame]  # an odd number of times
        try:
            _run(network, torch.zeros(1, channels, *shape.with_frame(odd)))
        except Exception:  # of any kind: the network refuses this size
            continue
        return multiple
    return 1  # the wider picture was taken: what is wrong with a size is then told by the size


def _aliases(network: nn.Module) -> dict[str, str]:
    """Further names of modules that have several, as tied ones have, each with the name that layers are listed by."""
    names = {module: name for name, module in network.named_modules()}
    every = network.named_modules(remove_duplicate=False)
    return {name: names[module] for name, module in every if names[module] != name}


def _tokens_first(network: nn.Module, picture: Tensor, calls: list[tuple[str, Any]]) -> set[tuple[int, ...]]:
    """The shapes, of the calls for one picture, that are (tokens, N, C): for two pictures the second axis is 2."""
    shapes: set[tuple[int, ...]] = {s for _, s in calls if isinstance(s, tuple) and len(s) == 3 and s[1] == 1}
    if not shapes:
        return set()
    try:
        doubled = _run(network, picture.repeat(2, *[1] * (picture.ndim - 1)))
    except Exception:  # a network for one picture at a time
        return set()
    if [name for name, _ in doubled] != [name for name, _ in calls]:
        return set()
    pairs = [(one, two) for (_, one), (_, two) in zip(calls, doubled, strict=True) if one in shapes]
    return shapes - {one for one, two in pairs if two != (one[0], 2, one[2])}


def _single_calls(
    network: nn.Module,
    square: list[tuple[str, Any]],
    wide: list[tuple[str, Any]] | None,
    layers: dict[str, Layer],
    tokens_first: set[tuple[int, ...]],
    picture: Shape,
) -> tuple[dict[str, Layer], dict[str, int]]:
    """Each call of the modules that are called several times, as a layer; and when in the pass each layer ends."""
    known = {layer.shape: layer.layout for layer in layers.values() if layer.layout}
    modules, counts = dict(network.named_modules()), Counter[str]()
    wider = (
        [shape for _, shape in wide] if wide and [name for name, _ in wide] == [name for name, _ in square] else None
    )
    calls, finished = dict[str, Layer](), dict[str, int]()
    for at, (name, shape) in enumerate(square):
        counts[name] += 1
        finished[name] = at
        if layers[name].calls == 1:
            continue
        label = f"{name}:{counts[name]}"
        finished[label] = at
        call = replace(layers[name], name=label, calls=counts[name], shape=None, layout=None, returned=f"a {shape}")
        if isinstance(shape, tuple):
            other = wider[at] if wider and isinstance(wider[at], tuple) and len(wider[at]) == len(shape) else None
            layout = known.get(shape)
            if layout is None and (find := _finder(shape, tokens_first)):
                layout = find(shape, other, (), modules.get(name), picture=picture)
            call = replace(call, shape=shape, layout=layout, returned=f"a tensor of shape {list(shape)}")
        calls[label] = call
    return calls, finished


def _unordered(layer: Layer) -> Layer:
    assert layer.layout is not None
    return replace(layer, layout=replace(layer.layout, ordered=False))


def _run(network: nn.Module, picture: Tensor, returning: list[str] | None = None) -> list[tuple[str, Any]]:
    """The name and the output (its shape, or its type) of every call of a module, in the order of finishing.

    What a module returns that is no tensor is followed by the tensors in it, ``name[key]``; so are those that the
    network returns, ``output[key]``. The module that returns what the network itself does, if one does, is put into
    ``returning``.
    """
    calls: list[tuple[str, Any]] = []
    last: tuple[str, Any] = "", None

    def note(name: str) -> Any:
        def hook(_module: nn.Module, _inputs: Any, output: Any) -> None:
            nonlocal last
            calls.append((name, tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__))
            calls.extend(_keyed(name, output))
            last = name, output

        return hook

    with forward_hooks(submodules(network), note), torch.no_grad(), torch.random.fork_rng(devices=[]):
        returned = network(picture.to(device_of(network)))
    if returning is not None and returned is last[1]:
        returning.append(last[0])
    return [*calls, *(_keyed(OUTPUT, returned) if not hasattr(network, OUTPUT) else ())]


def _keyed(name: str, output: Any) -> list[tuple[str, Any]]:
    if isinstance(output, Tensor):
        return []
    return [(f"{name}{key}", tuple(tensor.shape)) for key, tensor in keyed_tensors(output)]


def _finder(shape: tuple[int, ...], tokens_first: set[tuple[int, ...]]) -> Callable[..., Layout | None] | None:
    """What finds the layout of an output for one picture; None where it has no axis for the pictures."""
    if shape in tokens_first:
        return find_tokens_first_layout
    return find_layout if shape[:1] == (1,) else None


def _layers(
    network: nn.Module,
    square: list[tuple[str, Any]],
    wide: list[tuple[str, Any]] | None,
    tokens_first: set[tuple[int, ...]],
    picture: Shape,
) -> dict[str, Layer]:
    counts = Counter(name for name, _ in square)
    last, last_wide = dict(square), dict(wide or [])
    order = {name: at for at, (name, _) in enumerate(square)}
    modules = dict(network.named_modules())
    types = {name: type(module).__name__ for name, module in modules.items() if name}
    layers: dict[str, Layer] = {}
    before: dict[Any, Layout | None] = {}  # the layout of the last layer of the same shapes
    grids: list[tuple[int, int]] = []
    channels: int | None = None
    for name in sorted(counts, key=order.__getitem__):
        shape = last[name]
        if isinstance(shape, str):
            layers[name] = Layer(name, types[name], counts[name], returned=f"a {shape}")
            continue
        other = last_wide.get(name)
        shapes = shape, other if isinstance(other, tuple) and len(other) == len(shape) else None
        owner, key = module_and_key(name, modules)
        module, earlier = modules[owner], before.get(shapes)
        find, kind_of = _finder(shape, tokens_first), None if key else module
        layout = find(*shapes, grids, kind_of, earlier, channels, picture) if find else None
        before[shapes] = layout
        channels = shape[layout.channel_axis] if layout else channels
        if layout and layout.ordered and len(shape) > 3:
            rows, columns = shape[-2:] if layout.channel_axis == 1 else shape[-3:-1]
            # what a class token sees of all others is (heads, 1, tokens)
            if has_proportions(rows, columns, picture):
                frames = prod(shape[2:-2] if layout.channel_axis == 1 else shape[1:-3])
                grids.append((frames * rows, columns))
        returned, has_weights = f"a tensor of shape {list(shape)}", any(True for _ in module.parameters())
        kind = type(module).__name__
        layers[name] = Layer(name, kind, counts[name], shape, layout, returned, has_weights, key)
    return layers | {name: Layer(name, kind) for name, kind in types.items() if name not in counts}
