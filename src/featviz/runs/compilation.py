"""Whether the network is compiled (torch.compile): where it is asked for, and on a GPU where it is measured to pay."""

from __future__ import annotations

import gc
import logging
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from math import prod
from statistics import median

import torch
from torch import Tensor

from featviz.errors import one_line
from featviz.models.backbone import Backbone
from featviz.models.comparison import difference
from featviz.runs.plan import Plan
from featviz.runs.progress import duration
from featviz.shapes import Shape

log = logging.getLogger(__name__)

PassShape = tuple[int, ...]  # (N, C, H, W), or of films (N, C, T, H, W)
MIN_SECONDS = 300.0  # s that the passes take as they are: compiling takes a minute or two itself
WORTH_RATIO = 0.95  # of a pass's time: a smaller gain may be chance
TOLERANCE = 0.02  # of the largest number: what TF32 or half precision leave of two ways to compute the same
PASSES = 5  # are measured


def passes_of(plan: Plan, layer: str, chunks: Sequence[Sequence[int]]) -> Counter[PassShape]:
    """How many passes a run makes, for a layer's chunks, of pictures of each shape that the network sees."""
    transforms, model, passes = plan.method.transforms, plan.model, Counter[PassShape]()
    for stage in plan.method_of(layer).schedule.stages:
        seen = Shape.of(transforms.size(stage.size)) if plan.traced.accepts_other_sizes else model.shape
        for chunk in chunks:
            passes[(len(chunk) * transforms.copies, model.in_channels, *seen)] += stage.steps
    return passes


def choose_compilation(
    compile_network: bool | None,
    backbone: Backbone,
    passes: Counter[PassShape],
    device: torch.device,
    precision: Callable[[], AbstractContextManager[None]],
    changed: bool = False,
) -> str:
    """Have the backbone's network compiled, or leave it as it is; returns what was done, and why.

    ``compile_network`` is true, false or, where a measurement decides, None. Then it is left on a CPU, where compiled
    networks took several times as long (docs/benchmarks.md); on a GPU, passes as they are and as compiled are timed in
    ``precision``'s context, where the run is long enough. Where gradients are ``changed`` within the network, in all
    steps, it is left as it is.
    """
    if backbone.linked:
        return "not compiled (gradients lead from layer to layer)"
    if changed:
        return "not compiled (gradients are changed within the network)"
    if compile_network is False or (compile_network is None and device.type != "cuda"):
        return "not compiled"
    backbone.to(device)
    if compile_network is None:
        return compile_where_faster(backbone, passes, precision)
    backbone.compile_for(*passes)
    return "compiled"


def compile_where_faster(
    backbone: Backbone, passes: Counter[PassShape], precision: Callable[[], AbstractContextManager[None]]
) -> str:
    """Compile for the pictures with the most work, and keep it where passes are faster and answer the same."""
    shape = max(passes, key=lambda shape: passes[shape] * prod(shape))
    try:
        with precision():
            reason, times = _compared(backbone, shape, passes[shape])
    except Exception as error:  # a compiler may fail in any way, or memory be full: without it there is more
        reason, times = one_line(error), ""
    if reason:
        backbone.compile_for()
        gc.collect()
        torch.cuda.empty_cache()
        return f"not compiled ({reason})"
    return f"compiled ({times})"


def _compared(backbone: Backbone, shape: PassShape, number: int) -> tuple[str, str]:
    """Why not to compile, if so; and the times."""
    pictures = torch.rand(shape, device=backbone.mean.device, requires_grad=True)
    plain_seconds, expected = _seconds(backbone, pictures), _pass(backbone, pictures)
    if plain_seconds * number < MIN_SECONDS:
        return f"passes take {duration(plain_seconds * number)} in all", ""
    log.info("compiling the network, for passes that take %s in all", duration(plain_seconds * number))
    backbone.compile_for(shape)
    error = max(map(difference, expected, _pass(backbone, pictures)))
    if not error <= TOLERANCE:
        return f"its numbers are off by {error:.2g} of the largest", ""
    compiled_seconds = _seconds(backbone, pictures)
    times = f"{1000 * compiled_seconds:.3g} ms a pass instead of {1000 * plain_seconds:.3g}"
    return ("" if compiled_seconds < WORTH_RATIO * plain_seconds else times), times


def _pass(backbone: Backbone, pictures: Tensor) -> list[Tensor]:
    """The last layer's feature maps, and the gradient of their sum of squares."""
    *_, maps = backbone(pictures).values()
    (gradient,) = torch.autograd.grad(maps.float().square().sum(), pictures)
    return [maps.detach().float().clone(), gradient]


def _seconds(backbone: Backbone, pictures: Tensor) -> float:
    """How long a pass takes, forwards and backwards."""
    times = []
    for _ in range(PASSES + 2):
        began = time.perf_counter()
        _pass(backbone, pictures)[-1].sum().item()  # waits for the device
        times.append(time.perf_counter() - began)
    return median(times[2:])
