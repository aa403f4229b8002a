"""How many pictures memory holds at the same time: measured on one or two of them."""

from __future__ import annotations

import logging
from pathlib import Path

import psutil
import torch
from torch import Tensor

from featviz.optim.visualizer import FilterVisualizer
from featviz.runs.plan import LayerPlan, Plan

log = logging.getLogger(__name__)

MEMORY_FRACTION = 0.7  # of the free memory that a chunk may take
CPU_STEP_FACTOR = 2.0  # on the CPU: all that a step takes, over what is kept for its backward pass
MAX_BATCH = {"cpu": 32, "cuda": 256}  # more at a time are not faster


def find_batch_size(plan: Plan, device: torch.device) -> int:
    """How many pictures of a run fit at the same time, a filter's variants counted one by one."""
    each = max(bytes_per_picture(plan, layer, device) for layer in plan.layers)
    free = free_bytes(device)
    together = max(layer.together for layer in plan.layers)
    size = min(int(MEMORY_FRACTION * free / each), MAX_BATCH.get(device.type, MAX_BATCH["cuda"]))
    size = max(size // together, 1) * together
    log.info("batch_size: %d (a picture takes %.0f MiB, of %.1f GiB that are free)", size, each / 2**20, free / 2**30)
    return size


def bytes_per_picture(plan: Plan, layer: LayerPlan, device: torch.device) -> float:
    """What a picture of the final size takes during a step: the difference that another one makes, where it can."""
    if device.type == "cuda":
        one, two = (_peak(plan, layer, device, count) for count in (1, 2))
        return float(max(two - one, 1))
    return CPU_STEP_FACTOR * _saved_bytes(plan, layer)


def free_bytes(device: torch.device) -> float:
    """Free memory of a device; of the host, no more than the process's control group may have."""
    if device.type == "cuda":
        return float(torch.cuda.mem_get_info(device)[0])
    free = float(psutil.virtual_memory().available)
    group = Path("/sys/fs/cgroup")
    try:
        most, used = ((group / f"memory.{name}").read_text().strip() for name in ("max", "current"))
    except OSError:
        return free
    return free if most == "max" else max(min(free, float(most) - float(used)), 0.0)


def _visualizer(plan: Plan, layer: LayerPlan, device: torch.device, count: int) -> FilterVisualizer:
    """So many pictures of the final size, before their first step."""
    backbone = plan.backbone(layer, fast=True)
    filters = [layer.filters[0]] * (count * layer.variants)
    visualizer = FilterVisualizer(backbone, plan.method, layer.name, filters).to(device)
    visualizer.image.resize(visualizer.method.schedule.final_size)
    return visualizer


def _step(visualizer: FilterVisualizer) -> None:
    visualizer.training_step(0, 0).backward()  # type: ignore[no-untyped-call]
    visualizer.backbone.close()


def _peak(plan: Plan, layer: LayerPlan, device: torch.device, count: int) -> int:
    visualizer = _visualizer(plan, layer, device, count)
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats(device)
    _step(visualizer)
    return torch.cuda.max_memory_allocated(device) // layer.variants


def _saved_bytes(plan: Plan, layer: LayerPlan) -> float:
    """Bytes that autograd keeps of one picture for the backward pass."""
    visualizer = _visualizer(plan, layer, torch.device("cpu"), 1)
    weights = {p.untyped_storage().data_ptr() for p in visualizer.backbone.parameters()}
    sizes: dict[int, int] = {}

    def note(saved: Tensor) -> Tensor:
        storage = saved.untyped_storage()
        if storage.data_ptr() not in weights:
            sizes[storage.data_ptr()] = storage.nbytes()
        return saved

    with torch.autograd.graph.saved_tensors_hooks(note, lambda saved: saved):
        _step(visualizer)
    return sum(sizes.values()) / layer.variants
