"""Which pixels of the picture a position of a feature map sees: size, stride and place of its receptive field.

Measured, so that it holds for any network: the gradient of a neuron in the middle with respect to the picture is zero
outside its field (Luo, Li, Urtasun and Zemel 2016, arXiv 1701.04128, call its extent the theoretical receptive field).
So that nothing hides a pixel, the gradient is taken in a copy of the network with random positive weights, open
rectifiers, and mean pooling where it takes the maximum; its numbers are rescaled on their way, so that a deep network's
do not leave the range of 32 bits.
"""

from __future__ import annotations

import copy
import logging
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode
from typing_extensions import override

from featviz.errors import one_line
from featviz.models.backbone import Backbone
from featviz.models.layers import Trace
from featviz.models.model import Model
from featviz.models.output_keys import OUTPUT
from featviz.models.tracing import trace
from featviz.shapes import Shape

log = logging.getLogger(__name__)

FARTHEST = 4096  # px: a field that is not found in so wide a picture counts as the whole picture
SHORT_SIDES = (32, 64, 128)  # px: columns are measured in a low picture, rows in a narrow one
STEP = 64  # px: pictures as long as the model's, and so many times this, are padded alike at every stride
FAINT = 1e-6  # the smallest gradient on the way that is kept apart from none, as a share of the largest


@dataclass(frozen=True)
class Span:
    """A field along one axis, in px: position 0 sees ``start`` (may be below 0) up to ``start + size``, exclusive."""

    size: int
    stride: int
    start: int

    def of(self, position: int, length: int) -> tuple[int, int]:
        """First px and the one after the last that a position sees of a picture of ``length`` px."""
        first = self.start + position * self.stride
        return min(max(first, 0), length - 1), max(min(first + self.size, length), 1)

    @property
    def center(self) -> float:
        """The middle of what position 0 sees, in px from the middle of the first pixel."""
        return self.start + (self.size - 1) / 2


@dataclass(frozen=True)
class ReceptiveField:
    """The field along both axes, of films also in frames; None where every position sees the whole picture."""

    rows: Span | None
    columns: Span | None
    frames: Span | None = None

    def box(self, row: int, column: int, height: int, width: int) -> tuple[int, int, int, int]:
        """Left, top, right and bottom (exclusive) of what a position sees of a picture, in px."""
        top, bottom = self.rows.of(row, height) if self.rows else (0, height)
        left, right = self.columns.of(column, width) if self.columns else (0, width)
        return left, top, right, bottom

    def center(self, row: int, column: int) -> tuple[float, float] | None:
        """The middle of what a position sees, in px from the picture's left and upper edge; None where it is all."""
        if not self.rows or not self.columns:
            return None
        x, y = (span.center + at * span.stride + 0.5 for span, at in ((self.columns, column), (self.rows, row)))
        return x, y


def receptive_fields(model: Model, layers: Sequence[str], traced: Trace | None = None) -> dict[str, ReceptiveField]:
    """Measure the fields of layers, each under the name that it was asked by.

    A layer counts as seeing the whole picture along an axis where a neuron's field reaches an end of a picture of 4096
    px (or of the only size that the network takes), or where neighbors' fields differ in size, as in windowed
    attention.
    """
    traced = traced or trace(model)
    names = {layer: traced.resolve(layer).base.name for layer in layers}
    try:
        backbone = _opened(model, list(dict.fromkeys(names.values())), traced)
        short = _short_side(backbone)
        columns, rows = _spans(backbone, short, -1), _spans(backbone, short, -2)
        frames = _spans(backbone, short, -3) if model.shape.is_film else {}
        backbone.close()
    except (RuntimeError, TypeError) as error:  # a network that cannot do with other weights
        log.info("%s: receptive fields cannot be measured, patches are whole photos: %s", model.name, one_line(error))
        columns = rows = frames = {}
    fields = {at: ReceptiveField(rows.get(name), columns.get(name), frames.get(name)) for at, name in names.items()}
    for layer in fields:
        layout = traced.resolve(layer).layout
        if layout and not layout.ordered:
            log.info(
                "%s: the positions of %s do not stand as in the picture: patches are whole photos", model.name, layer
            )
            fields[layer] = ReceptiveField(None, None)
    return fields


def _spans(backbone: Backbone, short: Shape, axis: int) -> dict[str, Span]:
    """Spans along an axis, measured in ever longer pictures, or films, until they fit in."""
    spans: dict[str, Span] = {}
    for length in _lengths(backbone, axis):
        missing = [name for name in backbone.layers if name not in spans]
        if not missing:
            break
        shape = Shape(length if at == axis else side for at, side in zip(range(-len(short), 0), short, strict=True))
        try:
            reached = _reached(backbone, missing, shape, axis)
        except RuntimeError:
            if length == backbone.model.shape[axis]:
                raise
            break  # a network that takes other heights and widths, and no more frames
        for name, ends in reached.items():
            (first, last), (next_first, next_last), position = ends
            stride = next_first - first
            if first > 0 and next_last < length - 1 and stride > 0 and next_last - last == stride:
                spans[name] = Span(last - first + 1, stride, first - position * stride)
    return spans


def _lengths(backbone: Backbone, axis: int) -> Iterator[int]:
    length = backbone.model.shape[axis]
    yield length
    while backbone.trace.accepts_other_sizes and length < FARTHEST:
        length += STEP * math.ceil(length / STEP)
        yield length


#: First and last px of a neuron's field, those of its neighbor's, and its position.
Ends = tuple[tuple[int, int], tuple[int, int], int]


def _reached(backbone: Backbone, layers: Sequence[str], shape: Shape, axis: int) -> dict[str, Ends]:
    """What a neuron in the middle and its neighbor see along an axis of a picture of a shape."""
    generator = torch.Generator().manual_seed(0)
    picture = torch.rand(1, backbone.model.in_channels, *shape, generator=generator).add_(0.5).requires_grad_()
    ends: dict[str, Ends] = {}
    with _Open():
        maps = backbone(picture)
        for layer in layers:
            position = (maps[layer].shape[axis] - 1) // 2
            neighbors = [
                _ends(maps[layer], picture, axis, p) for p in (position, position + 1) if p < maps[layer].shape[axis]
            ]
            if len(neighbors) == 2 and neighbors[0] and neighbors[1]:
                ends[layer] = neighbors[0], neighbors[1], position
    return ends


def _ends(maps: Tensor, picture: Tensor, axis: int, position: int) -> tuple[int, int] | None:
    """First and last px that the neurons at a position along an axis see, all channels together."""
    neurons = maps.select(axis, position)
    generator = torch.Generator().manual_seed(1)
    weights = torch.rand(neurons.shape, generator=generator, dtype=neurons.dtype) + 0.5
    (gradient,) = torch.autograd.grad((neurons * weights).sum(), picture, retain_graph=True)
    pixels = gradient.abs().movedim(axis, 0).flatten(1).sum(1).nonzero()
    return (int(pixels[0]), int(pixels[-1])) if len(pixels) else None


def _short_side(backbone: Backbone) -> Shape:
    """The smallest square that the network takes, in all frames of a film: the shorter, the quicker."""
    shape = backbone.model.shape
    for side in SHORT_SIDES:
        if side >= min(shape.frame) or not backbone.trace.accepts_other_sizes:
            break
        smaller = shape.with_frame(side)
        try:
            with torch.no_grad(), _Open():
                picture = torch.zeros(1, backbone.model.in_channels, *smaller)
                if all(maps.numel() for maps in backbone(picture).values()):
                    return smaller
        except (RuntimeError, AssertionError, ValueError):
            continue
    return shape


def _opened(model: Model, layers: Sequence[str], traced: Trace) -> Backbone:
    """The network up to the layers, copied, with random positive weights."""
    listed = [_listed(layer, traced) for layer in layers]
    last = max(list(traced.layers).index(name) for name in listed) if OUTPUT not in listed else len(traced.layers)
    after = [name for name, layer in list(traced.layers.items())[last + 1 :] if layer.calls < 2 and not layer.key]
    unused = [module for name in after if not list((module := model.network.get_submodule(name)).children())]
    shapes = {id(p): p.shape for p in model.network.parameters()}
    for module in unused:  # large fully connected layers, mostly
        shapes |= {id(p): torch.Size([0]) for p in module.parameters(recurse=False)}
    empty = {key: nn.Parameter(torch.empty(shape), False) for key, shape in shapes.items()}
    network = copy.deepcopy(model.network, dict(empty)).cpu().float()
    _make_positive(network)
    channels = model.in_channels
    other = Model(model.name, network, (0.0,), (1.0,), model.size, model.weights, in_channels=channels, copied=False)
    return Backbone(other, layers, traced)


def _listed(layer: str, traced: Trace) -> str:
    """The name that a layer is listed by, which may be one call of it."""
    return layer if layer in (*traced.layers, OUTPUT) else layer.rpartition(":")[0]


def _make_positive(network: nn.Module) -> None:
    """Random positive weights, biases of zero, batch norms that change nothing."""
    generator = torch.Generator().manual_seed(2)
    for name, parameter in network.named_parameters():
        drawn = torch.rand(parameter.shape, generator=generator).add_(0.5)
        parameter.copy_(drawn.mul_(0.0 if name.endswith("bias") else 1.0))
    for name, buffer in network.named_buffers():
        if name.endswith(("running_mean", "running_var")):
            buffer.fill_(float(name.endswith("var")))


class _Open(TorchFunctionMode):
    """Within it, no rectifier is closed, no maximum hides what is beside it, and numbers stay in range."""

    @override
    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        output = _INSTEAD.get(func, func)(*args, **(kwargs or {}))
        return _in_range(output) if func in _SUMS else output


def _in_range(output: Tensor) -> Tensor:
    """The same, but for its scale, which is 1; so is that of the gradient that comes back through it."""
    scaled = output / output.detach().abs().amax().clamp_min(1e-30)
    if scaled.requires_grad:
        scaled.register_hook(_gradient_in_range)  # type: ignore[no-untyped-call]
    return scaled


def _gradient_in_range(gradient: Tensor) -> Tensor:
    share = gradient / gradient.abs().amax().clamp_min(1e-30)
    return torch.where(gradient == 0, 0.0, share.abs().clamp_min(FAINT).copysign(share))


def _same(input: Tensor, *_: Any, **__: Any) -> Tensor:  # named as in torch
    return input


def _half_open(input: Tensor, *_: Any, **__: Any) -> Tensor:
    return input / 6 + 0.5


def _mean_pool(
    maximum: Callable[..., Any],
    mean: Callable[..., Any],
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    if return_indices or dilation not in (1, (1, 1), [1, 1], (1, 1, 1), [1, 1, 1]):
        return maximum(input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)
    return mean(input, kernel_size, stride or kernel_size, padding, ceil_mode)


_mean_pool_2d = partial(_mean_pool, F.max_pool2d, F.avg_pool2d)
_mean_pool_3d = partial(_mean_pool, F.max_pool3d, F.avg_pool3d)


def _global_mean(input: Tensor, dim: Any = None, keepdim: bool = False) -> Tensor:
    return input.mean(dim, keepdim)


_RECTIFIERS: tuple[Callable[..., Any], ...] = (
    *(F.relu, F.relu_, torch.relu, torch.relu_, Tensor.relu, Tensor.relu_, F.relu6, F.hardswish),
    *(F.hardtanh, F.hardtanh_, F.threshold, torch.threshold, torch.threshold_),
    *(torch.clamp, torch.clamp_, Tensor.clamp, Tensor.clamp_, torch.clip, Tensor.clip, Tensor.clip_),
    *(torch.clamp_min, Tensor.clamp_min, torch.clamp_max, Tensor.clamp_max),
)
_INSTEAD: dict[Callable[..., Any], Callable[..., Any]] = {
    **dict.fromkeys(_RECTIFIERS, _same),
    F.hardsigmoid: _half_open,
    **dict.fromkeys((F.max_pool2d, torch.max_pool2d), _mean_pool_2d),
    **dict.fromkeys((F.max_pool3d, torch.max_pool3d), _mean_pool_3d),
    **dict.fromkeys((torch.amax, Tensor.amax), _global_mean),
    F.adaptive_max_pool2d: lambda input, output_size, **_: F.adaptive_avg_pool2d(input, output_size),
    F.adaptive_max_pool3d: lambda input, output_size, **_: F.adaptive_avg_pool3d(input, output_size),
}
_SUMS: tuple[Callable[..., Any], ...] = (F.conv2d, F.conv3d, F.linear)
