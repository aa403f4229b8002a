"""Whether the positions of feature maps stand as in the picture: a change in a corner must show in that corner.

Transformers may mix their tokens (mask units of Hiera: Ryali et al. 2023, arXiv 2306.00989) or cut them into windows.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from featviz.models.hooks import device_of, forward_hooks, submodules
from featviz.models.layers import Layer
from featviz.shapes import Shape

CORNERS = ((0.2, 0.2), (0.2, 0.8), (0.8, 0.2), (0.8, 0.8), (0.4, 0.6))  # of the sides: where the picture is changed
PATCH = 1 / 14  # of the side
SHARP = 4.0  # times the median change: the strongest one is local
RIGHT, WRONG = 0.15, 0.25  # mean distance along an axis, as a share of the side; of mixed positions it is about .3


def find_unordered(network: nn.Module, layers: Mapping[str, Layer], channels: int, shape: Shape) -> set[str]:
    """Those layers of tokens, and of feature maps with channels last, whose positions do not stand as in the picture.

    ``layers`` come in the order in which they finish. A layer where a change is not local says nothing, and counts as
    the layer before it.
    """
    names = [name for name, layer in layers.items() if _can_be_mixed(layer)]
    device = device_of(network)
    if not names or device.type == "meta" or shape.is_film:
        return set()
    distances = _distances(
        network, {n: layers[n] for n in names if not layers[n].key}, _pictures(channels, shape).to(device)
    )
    unordered: set[str] = set()
    ordered = True
    for name in names:
        distance = distances.get(name)
        if distance is not None and not RIGHT < distance < WRONG:
            ordered = distance <= RIGHT
        if not ordered:
            unordered.add(name)
    return unordered


def _can_be_mixed(layer: Layer) -> bool:
    shape, layout = layer.shape, layer.layout
    return shape is not None and layout is not None and len(shape) > 2 and layout.channel_axis == len(shape) - 1


def _pictures(channels: int, shape: Shape) -> Tensor:
    """Noise, (1, C, H, W), and the same with another patch in each of the corners."""
    generator, side = torch.Generator().manual_seed(0), max(1, round(PATCH * shape.side))
    (height, width), noise = shape, torch.randn(1, channels, *shape, generator=generator) / 2
    pictures = noise.repeat(1 + len(CORNERS), 1, 1, 1)
    for picture, (row, column) in zip(pictures[1:], CORNERS, strict=True):
        top, left = round(row * height - side / 2), round(column * width - side / 2)
        picture[:, top : top + side, left : left + side] += 3 * torch.randn(channels, side, side, generator=generator)
    return pictures


@torch.no_grad()
def _distances(network: nn.Module, layers: Mapping[str, Layer], pictures: Tensor) -> dict[str, float]:
    """How far from a change in the picture it shows at each layer, as a share of the side; none where not locally."""
    distances: dict[str, float] = {}

    def note(name: str) -> Any:
        layout, shape = layers[name].layout, Shape(pictures.shape[2:])
        assert layout is not None

        def hook(_module: nn.Module, _inputs: Any, output: Tensor) -> None:
            distances.pop(name, None)  # the last call counts
            if output.shape[layout.batch_axis] == len(pictures):
                maps = layout.feature_maps(output, shape)
                distance = _distance((maps[1:] - maps[:1]).float().abs().sum(1))
                if distance is not None:
                    distances[name] = distance

        return hook

    try:
        with forward_hooks(submodules(network, layers), note):
            network(pictures)
    except Exception:  # a network for one picture at a time
        return {}
    return distances


def _distance(changes: Tensor) -> float | None:
    """The mean distance, along both axes, between the strongest of changes (corners, h, w) and their corners."""
    height, width = changes.shape[1:]
    if min(height, width) < 4:
        return None
    flat = changes.flatten(1)
    places = flat.argmax(1)
    local = flat.amax(1) > SHARP * flat.median(1).values
    if not local.all() or len(set(places.tolist())) < len(CORNERS) - 1:
        return None
    rows, columns = (places // width + 0.5) / height, (places % width + 0.5) / width
    corners = torch.tensor(CORNERS, device=changes.device)
    return (torch.stack([rows, columns], 1) - corners).abs().mean().item()
