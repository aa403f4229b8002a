"""What compiled kernels, and the threads that they run in, gain over Numba's own threads and over plain torch.

    python scripts/bench_kernels.py kernels   # each by itself, 8 pictures of 3 x 236 x 236
    python scripts/bench_kernels.py steps     # whole steps of the default model, over the network's own passes
    python scripts/bench_kernels.py steps one-thread

All ways take turns in one process, of which the first does not count; printed are medians, and least values. Before
each call torch computes something in all its threads, as it does in a step: threads that have just ended some work
wait for more without leaving their cores. With ``one-thread`` it is the processor's time of one thread, which other
work on the machine changes little.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from random import Random
from statistics import median
from typing import Any
from unittest.mock import patch

import numba
import torch
from arguments import answer_help
from bench import Settings, _passes, _steps, _truncated
from torch import Tensor
from torch.nn import functional as F

from featviz.config.build import build, build_model
from featviz.config.compose import compose_default
from featviz.images import color
from featviz.models.backbone import Backbone
from featviz.models.normalization import Normalization
from featviz.models.speed.faster_copy import SpeedOptions
from featviz.optim.visualizer import FilterVisualizer
from featviz.runs.build_method import build_method
from featviz.runs.process import run_environment
from featviz.shapes import Shape, Size
from featviz.transforms import sampling
from featviz.transforms.kernels.bilinear import kernels
from featviz.transforms.kernels.color import before_bounds

PICTURES, CHANNELS, SIZE = 8, 3, 236
TURNS, CALLS = 20, 5
OPTIONS: dict[str, Any] = {"parallel": True, "error_model": "numpy", "fastmath": {"contract"}}
SAMPLE, DISTRIBUTE = kernels(CHANNELS)


@numba.njit(**OPTIONS)
def prange_sample(planes: Any, matrices: Any, sampled: Any, scale: Any, shift: Any, fill: Any) -> None:
    """Resample all pictures in Numba's threads."""
    for n in numba.prange(len(planes)):
        SAMPLE(planes[n], matrices[n], sampled[n], scale, shift, fill)


@numba.njit(**OPTIONS)
def prange_distribute(sampled: Any, matrices: Any, planes: Any, scale: Any) -> None:
    """The adjoint of ``prange_sample``."""
    for n in numba.prange(len(planes)):
        DISTRIBUTE(sampled[n], matrices[n], planes[n], scale)


@numba.njit(**OPTIONS)
def prange_before_bounds(gradients: Any, pictures: Any, before: Any, matrix: Any) -> None:
    """Gradients of all pictures' colors in Numba's threads."""
    for n in numba.prange(len(pictures)):
        before_bounds(gradients[n], pictures[n], before[n], matrix)


PRANGE = {SAMPLE: prange_sample, DISTRIBUTE: prange_distribute, before_bounds: prange_before_bounds}


def prange_for_all(kernel: Callable[..., None], tensors: Any, *same: Any) -> None:
    """``for_all`` by ``prange``."""
    PRANGE[kernel](*(tensor.detach().numpy() for tensor in tensors), *same)


def torch_sample(
    pictures: Tensor, matrices: Tensor, canvas: Size, fill: float, normalization: Normalization | None = None
) -> Tensor:
    """``sample`` as other devices have it."""
    grid = sampling._grid(matrices, Shape.of(canvas), *pictures.shape[2:])
    sampled = F.grid_sample(pictures - fill, grid, align_corners=False) + fill
    return normalization(sampled) if normalization else sampled


def torch_bounded(values: Tensor, matrix: Tensor | None) -> Tensor:
    """``bounded`` with torch's own gradients."""
    return color.mix(values, matrix).sigmoid()


WAYS: dict[str, dict[str, Any]] = {
    "featviz": {},
    "threads of prange": {"transforms.sampling.for_all": prange_for_all, "images.color.for_all": prange_for_all},
    "threads of a pool": {"transforms.threads._gnu_openmp": lambda: None},
    "torch's resampling": {"transforms.sampling.sample": torch_sample, "transforms.compose.sample": torch_sample},
    "torch's colors": {
        "images.base.bounded": torch_bounded,
        "images.color.bounded": torch_bounded,
        "images.fourier.LARGE": sys.maxsize,  # px: none is brought to colors by itself
    },
    "pictures all together": {"images.fourier.LARGE": sys.maxsize},
}
ONE_BY_ONE = ("pictures all together",)  # says nothing of a kernel by itself


@contextmanager
def way(name: str) -> Iterator[None]:
    """Put a way of computing in the place of featviz's own."""
    with ExitStack() as patches:
        for target, replacement in WAYS[name].items():
            patches.enter_context(patch(f"featviz.{target}", replacement))
        yield


def in_turns(ways: dict[str, Callable[[], list[float]]]) -> dict[str, list[float]]:
    """Seconds of each, turn after turn, each turn in an order of its own."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(TURNS + 1):
        for name in Random(turn).sample([*ways], len(ways)):
            seconds = ways[name]()
            times[name] += seconds if turn else []
    return times


def print_table(title: str, times: dict[str, list[float]], base: str, pictures: int) -> None:
    """Milliseconds a picture, and ratios to ``base``: of medians, and of least values."""
    print(f"{title}, {torch.get_num_threads()} threads, ms a picture and ratio to {base}: median; least")
    for name, seconds in times.items():
        numbers = [(1000 * value(seconds) / pictures, value(seconds) / value(times[base])) for value in (median, min)]
        print(f"  {name:20}" + ";".join(f"{milliseconds:8.3f} {ratio:7.3f}" for milliseconds, ratio in numbers))


def measure_kernels() -> None:
    """Forward and backward pass of each kernel by itself."""
    generator = torch.Generator().manual_seed(0)
    values = torch.randn(PICTURES, CHANNELS, SIZE, SIZE, generator=generator).requires_grad_()
    turned = torch.eye(2) + 0.1 * torch.rand(PICTURES, 2, 2, generator=generator)
    matrices = torch.cat([turned, 8 * torch.rand(PICTURES, 2, 1, generator=generator)], 2)
    cases: dict[str, Callable[[], Tensor]] = {
        "resampling": lambda: sampling.sample(values, matrices, SIZE, 0.5),
        "colors": lambda: color.bounded(values, color.correlation_matrix()),
    }
    for case, call in cases.items():
        names = [name for name in WAYS if name not in ONE_BY_ONE and (not name.startswith("torch's") or case in name)]
        for direction in ("forward", "backward"):
            ways = {name: _timed(name, call, values, direction) for name in names}
            print_table(f"{case}, {direction}", in_turns(ways), "featviz", PICTURES)


def _timed(name: str, call: Callable[[], Tensor], leaf: Tensor, direction: str) -> Callable[[], list[float]]:
    busy = torch.rand(PICTURES, 32, 118, 118)

    def run() -> list[float]:
        times = []
        with way(name):
            for _ in range(CALLS):
                leaf.grad = None
                busy.relu()
                began = clock()
                result = call()
                if direction == "backward":
                    gradient = torch.rand_like(result)
                    busy.relu()
                    began = clock()
                    result.backward(gradient)
                times.append(clock() - began)
        return times

    return run


def measure_steps() -> None:
    """Whole steps of 8 pictures, over the bare passes of the network."""
    settings = Settings()
    cfg = compose_default([f"recipe={settings.recipe}", f"schedule.size={settings.size}", "redirect_steps=0"])
    model = build_model(cfg)
    method = build_method(cfg, model.size)
    trainer = build(cfg.trainer, "trainer", logger=False, enable_checkpointing=False)
    device, precision = trainer.strategy.root_device, trainer.precision_plugin.forward_context
    fast, limit = (Backbone(model, [settings.layer], fast=SpeedOptions()) for _ in range(2))
    visualizer = FilterVisualizer(fast, method, settings.layer, list(range(settings.batch)))
    side = method.transforms.size(settings.size)
    ways = {"limit": _passes(_truncated(limit, settings), side, settings, device, precision)}
    ways |= {name: _step(name, cfg, visualizer) for name in WAYS}
    with run_environment(), patch("time.perf_counter", clock):
        print_table("a step", in_turns(ways), "limit", settings.batch)


def _step(name: str, cfg: Any, visualizer: FilterVisualizer) -> Callable[[], list[float]]:
    def run() -> list[float]:
        with way(name):
            return _steps(cfg, visualizer, Settings.steps)

    return run


if __name__ == "__main__":
    answer_help(__doc__)
    kinds = {"kernels": measure_kernels, "steps": measure_steps}
    if len(sys.argv) < 2 or sys.argv[1] not in kinds:
        sys.exit(__doc__)
    threads = 1 if "one-thread" in sys.argv else torch.get_num_threads()
    clock = time.process_time if threads == 1 else time.perf_counter
    numba.config.THREADING_LAYER = "omp"
    numba.set_num_threads(threads)
    torch.set_num_threads(threads)  # once more: Numba's start of its threads changes torch's number
    kinds[sys.argv[1]]()
