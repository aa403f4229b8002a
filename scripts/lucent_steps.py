"""Lucent's own loop on a network of featviz's: timed by ``bench.py``, and the network for ``bench_lucent.py``."""

from __future__ import annotations

import time
from functools import cache

from torch import nn

from featviz.config.build import build_model
from featviz.config.compose import compose_default
from featviz.models.backbone import Backbone


def lucent_steps(network: tuple[str, str, str], batch: int, size: int, steps: int, seen: int | None) -> list[float]:
    """Seconds of each of ``steps`` steps for the first ``batch`` filters of a layer.

    Args:
        network: the model, its weights and the layer, as featviz knows them.
        batch: how many pictures are made.
        size: of the pictures, px.
        steps: how many; the first call has the start as well.
        seen: px before the network; None for what lucent's transforms make of the size.
    """
    from lucent.optvis import objectives, param, render  # type: ignore[import-not-found]

    module, name = for_lucent(*network)
    goal = sum(objectives.channel(name, n, batch=n) for n in range(batch))
    began = time.perf_counter()
    render.render_vis(
        module,
        goal,
        lambda: param.image(size, batch=batch),
        thresholds=(steps,),
        fixed_image_size=seen,
        show_image=False,
        progress=False,
    )
    return [(time.perf_counter() - began) / steps] * steps


@cache
def for_lucent(model: str, weights: str, layer: str) -> tuple[nn.Module, str]:
    """The network, and the name by which lucent knows its layer."""
    loaded = build_model(compose_default([f"model={model}", f"model.weights={weights}"]))
    return loaded.network, Backbone(loaded, [layer]).layers[layer].name.replace(".", "_")
