"""Which modules the stage names ``layer1`` to ``layer4`` stand for: the last blocks at stride 4, 8, 16 and 32."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from math import log2

from torch import nn

from featviz.models.layers import Layer, Trace
from featviz.models.model import STAGES, Model
from featviz.models.trunk import Flow, flow_of

STRIDES = (4, 8, 16, 32)
FIRST, LAST = 2, 5  # their logarithms to base 2
LAYERS_WITH_WEIGHTS = (nn.modules.conv._ConvNd, nn.Linear)
ENLARGED = 1.25  # times: more than what padding adds to a side
#: No stage ends with them.
HEADS = ("AdaptiveAvgPool2d", "AdaptiveMaxPool2d", "Dropout", "Dropout2d", "Flatten", "Identity", "Unfold")


def find_stages(model: Model, traced: Trace) -> dict[str, str]:
    """Stage names, in order of depth: as the model gives them, its own modules of that name, timm's, or its trunk's."""
    if model.stages:
        return dict(model.stages)
    own = {stage: stage for stage in STAGES if stage in traced.layers and _is_usable(traced.layers[stage])}
    if len(own) > 1:
        return own
    stages = _stages_of_timm(model.network, traced) or _stages_of_trunk(model, traced)
    stages = {stage: name for stage, name in stages.items() if stage not in traced.layers} | own
    return {stage: stages[stage] for stage in STAGES if stage in stages}


def _is_usable(layer: Layer) -> bool:
    return bool(layer.calls and layer.layout and layer.shape and len(layer.shape) > 2)


def _scale(layer: Layer, size: float) -> int | None:
    """The logarithm of the stride, to base 2: 2 for stride 4; what an unpadded convolution cuts off does not count."""
    side = layer.side if (layer.layout and layer.layout.ordered) or len(layer.shape or ()) == 3 else None
    return round(log2(size / side)) if side and side > 1 else None


def _side_inside(network: nn.Module, traced: Trace) -> float:
    """The side of pictures at the first convolution: detectors enlarge theirs on the way there, to 800 px."""
    modules = dict(network.named_modules())
    for name, layer in traced.layers.items():
        module = modules.get(name)  # none for a tensor in what a module returns
        if isinstance(module, nn.Conv2d | nn.Conv3d) and layer.side:
            side = round(layer.side * module.stride[-1])
            return side if side > ENLARGED * traced.shape.side else traced.shape.side
    return traced.shape.side


def _stages_of_timm(network: nn.Module, traced: Trace) -> dict[str, str]:
    """The last modules at the four strides by timm's ``feature_info``; empty where it does not name what is called."""
    infos = getattr(network, "feature_info", None) or ()
    last = {info["reduction"]: info["module"] for info in infos if isinstance(info, Mapping)}
    named = [last.get(stride, "") for stride in STRIDES]
    names = [_of_substance(name, named, traced) for name in named]
    order = {name: at for at, name in enumerate(traced.layers)}
    places = [order[name] for name in names if name in order and _is_usable(traced.layers[name])]
    if len(places) < len(STAGES) or places != sorted(set(places)):
        return {}
    return dict(zip(STAGES, names, strict=True))


def _of_substance(name: str, stages: Iterable[str], traced: Trace) -> str:
    """The module itself; for an identity (a head that this network does not have) the stage that ends before it."""
    if name not in traced.layers or traced.layers[name].type != "Identity":
        return name
    names = list(traced.layers)
    before = reversed(names[: names.index(name)])
    return next((n for n in before if not any(stage.startswith(f"{n}.") for stage in stages)), name)


def _stages_of_trunk(model: Model, traced: Trace) -> dict[str, str]:
    """The last block of the trunk at each stride; for a network of one stride, blocks at quarters of its depth.

    Where a network goes back to larger feature maps, as U-Nets do, or branches, it is the way to its smallest ones that
    has more stages.
    """
    try:
        flow = flow_of(model.network, model.in_channels, model.shape)
    except Exception:  # a network that cannot do with gradients; it has just passed without
        flow = Flow({}, None)
    usable = _usable(model, traced)
    trunk = _Trunk(model.network, usable, flow.trunk())
    if row := trunk.only_row():
        return {stage: row[(at + 1) * len(row) // 4 - 1] for at, stage in enumerate(STAGES)}
    stages = trunk.last_blocks()
    places = [traced.finished[name] for _, name in sorted(stages.items())]
    in_order = places == sorted(set(places))
    if len(stages) < len(STAGES) or not in_order:
        inwards = _way_inwards(flow, model.network, usable)
        stages = inwards if len(inwards) > len(stages) or not in_order else stages
    return {f"layer{scale - 1}": name for scale, name in sorted(stages.items())}


def _usable(model: Model, traced: Trace) -> dict[str, tuple[Layer, int | None]]:
    """The layers that can be stages, each with its scale."""
    side = _side_inside(model.network, traced)
    modules = dict(model.network.named_modules())  # tensors in what a module returns are none
    return {
        name: (layer, _scale(layer, side))
        for name, layer in traced.layers.items()
        if name in modules and _is_usable(layer) and layer.channels != 1 and layer.type not in HEADS
    }


def _way_inwards(flow: Flow, network: nn.Module, usable: Mapping[str, tuple[Layer, int | None]]) -> dict[int, str]:
    """The last blocks, by scale, on the way to the smallest feature maps.

    It leads to the last module of that scale that all which comes to the scale goes through, before branches begin or
    maps grow again; and of each scale before it, all that this module is computed from goes through its last block.
    """
    usable = {name: pair for name, pair in usable.items() if pair[0].calls == 1}  # others are in several places
    scales = {name: scale for name, (_, scale) in usable.items() if scale is not None}
    smallest = max(scales.values(), default=None)
    first = next((name for name, scale in scales.items() if scale == smallest), "")
    ends = [name for name in flow.ways_out(first) if scales.get(name) == smallest]
    ways = [_Trunk(network, usable, flow.trunk(name)).last_blocks() for name in ends[::-1]]
    return max(ways, key=len, default={})  # a detector's results lie behind where its heads meet again


class _Trunk:
    """The modules that all of a network goes through, in the order in which they finish; all where none are known."""

    def __init__(
        self, network: nn.Module, usable: Mapping[str, tuple[Layer, int | None]], modules: Iterable[str]
    ) -> None:
        self.chain = [name for name in modules if name in usable]
        names = self.chain or list(usable)
        self.network, self.layers = network, {name: usable[name][0] for name in names}
        self.scales = {name: usable[name][1] for name in names}
        self.all_blocks = [name for name in names if self._is_block(name)]

    def last_blocks(self) -> dict[int, str]:
        """The last block at each scale, or what else there is."""
        by_scale: dict[int, str] = {}
        for name in [*self.inside_blocks(), *self.alone(), *self.blocks()]:  # what comes later here takes the place
            scale = self.scales[name]
            if scale is not None and FIRST <= scale <= LAST:
                by_scale[scale] = name
        return by_scale

    def _weights(self, name: str) -> int:
        """How many layers with weights are inside of a module; 0 for such a layer itself."""
        inside = list(self.network.get_submodule(name).modules())[1:]
        return sum(isinstance(module, LAYERS_WITH_WEIGHTS) for module in inside)

    def _is_block(self, name: str) -> bool:
        """Whether a module has several layers with weights inside, and does not reach over several strides.

        It may begin with a convolution at the stride before its own, but no child of it is a block of another stride.
        """
        end = self.scales[name]
        inside = {n: scale for n, scale in self.scales.items() if n.startswith(f"{name}.") and scale is not None}
        if self._weights(name) < 2 or end is None or end - min(inside.values(), default=end) > 1:
            return False
        children = [n for n in inside if "." not in n.removeprefix(f"{name}.")]
        return all(inside[n] == end for n in children if self._weights(n) > 1)

    def blocks(self) -> list[str]:
        """Of blocks in blocks the outermost."""
        inner = set(self._inside(self.all_blocks))
        return [name for name in self.all_blocks if name not in inner]

    def alone(self) -> list[str]:
        """What stands in no block: convolutions, rectifiers, norms, pools."""
        return [name for name in self.layers if name not in self.all_blocks and name not in self._inside(self.layers)]

    def inside_blocks(self) -> list[str]:
        """What stands in a block."""
        return [name for name in self._inside(self.layers) if name not in self.all_blocks]

    def _inside(self, names: Iterable[str]) -> list[str]:
        outer = tuple(f"{block}." for block in self.all_blocks)
        return [name for name in names if name.startswith(outer)]

    def only_row(self) -> list[str]:
        """The blocks of a network of one stride: four or more of a type beside each other, none at another stride."""
        rows: dict[object, list[str]] = {}
        blocks = [name for name in self.layers if self._weights(name)]
        for name in blocks:
            rows.setdefault((name.rpartition(".")[0], self.layers[name].type), []).append(name)
        row = max(rows.values(), key=len, default=[])
        if len(row) < len(STAGES):
            return []
        scale, kind = self.scales[row[0]], self.layers[row[0]].type
        elsewhere = [n for n in blocks if self.layers[n].type == kind and self.scales[n] != scale]
        # also those beside other parents: VOLO has three lists of them, and CrossViT a list in each of its own blocks
        pattern = _any_number(row[0], on_chain=bool(self.chain))
        row = [n for n in blocks if self.layers[n].type == kind and pattern.fullmatch(n)]
        after = [n for n in blocks[blocks.index(row[-1]) :] if self.scales[n] not in (scale, None)]
        return [] if elsewhere or after else row


def _any_number(name: str, on_chain: bool) -> re.Pattern[str]:
    """A name with any numbers in the place of its first and its last; with any of all, where they are on one chain."""
    parts = re.split(r"(\d+)", name)  # numbers at odd places
    numbers = range(1, len(parts), 2)
    free = numbers if on_chain else [*numbers[:1], *numbers[-1:]]
    return re.compile("".join(r"\d+" if at in free else re.escape(part) for at, part in enumerate(parts)))
