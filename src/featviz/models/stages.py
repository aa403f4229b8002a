"""Which modules the stage names ``layer1`` to ``layer4`` stand for: the last ones at stride 4, 8, 16 and 32."""

from __future__ import annotations

from featviz.models.layers import Trace
from featviz.models.model import STAGES, Model

STRIDES = (4, 8, 16, 32)


def find_stages(model: Model, traced: Trace) -> dict[str, str]:
    """Stage names: as the model gives them, or its own modules of that name, or read off the strides."""
    if model.stages:
        return dict(model.stages)
    own = {stage: stage for stage in STAGES if traced.layers.get(stage) and traced.layers[stage].calls}
    if len(own) == len(STAGES):
        return own
    by_stride = {stage: name for stage, s in zip(STAGES, STRIDES, strict=True) if (name := _last_at(traced, s))}
    return by_stride if len(by_stride) > 1 else _quarters(traced)


def _last_at(traced: Trace, stride: int) -> str:
    """The last module at a stride, of the outermost ones: inner ones may belong to a block that goes on to the next."""
    names = [name for name, layer in traced.layers.items() if layer.layout and layer.stride(traced.size) == stride]
    outermost = min((name.count(".") for name in names), default=0)
    return next((name for name in reversed(names) if name.count(".") == outermost), "")


def _quarters(traced: Trace) -> dict[str, str]:
    """For a network of one stride: its blocks at a quarter, half, three quarters and the end of its depth."""
    lists: dict[tuple[str, str], list[str]] = {}
    for name, layer in traced.layers.items():
        parent, _, _ = name.rpartition(".")
        if layer.layout and layer.shape and len(layer.shape) > 2:
            lists.setdefault((parent, layer.type), []).append(name)
    blocks = max(lists.values(), key=len, default=[])
    if len(blocks) < len(STAGES):
        return {}
    return {stage: blocks[(at + 1) * len(blocks) // 4 - 1] for at, stage in enumerate(STAGES)}
