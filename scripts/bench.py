"""How near featviz runs to the limit that the network itself sets.

    python scripts/bench.py model=efficientnet_lite0 layer=layer3 batch=8 size=224

Measured side by side in one process, in short turns of which the first does not count, each in an order of its own;
medians over all others: a step of featviz (image, transforms, network, objective, optimizer, callbacks, Lightning); the
bare forward and backward pass of the network up to the layer, as featviz has it (the limit); the same where the last
convolution computes only the filters of the batch, as in a step; the same as the limit of the network as it comes; and
the whole network with gradients of its weights, which is what a naive loop computes. Where lucent is importable, its
step is measured too, in a process of its own, so that it has nothing of what featviz changes in its process: as it is
used, where its transforms enlarge the picture, and with as many pixels before the network as featviz has. With
``whole_layer=true`` the time of a whole run of all the layer's filters, by the recipe's own steps, is measured too. The
table is printed and added to ``outputs/bench.csv``.
"""

from __future__ import annotations

import csv
import json
import os
import platform
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from importlib.util import find_spec
from itertools import pairwise
from multiprocessing import get_context
from pathlib import Path
from random import Random
from statistics import median
from typing import Any

import torch
from arguments import answer_help
from lightning import Callback, Trainer
from lucent_steps import lucent_steps
from omegaconf import OmegaConf
from torch import Tensor, nn

from featviz.config.build import build, build_model
from featviz.config.compose import compose_default
from featviz.models.backbone import Backbone
from featviz.models.model import Model
from featviz.models.speed.faster_copy import SpeedOptions
from featviz.optim.callbacks import required_callbacks
from featviz.optim.visualizer import FilterVisualizer
from featviz.runs.build_method import build_method
from featviz.runs.process import run_environment


@dataclass
class Settings:
    """What is measured."""

    model: str = "efficientnet_lite0"
    weights: str = "pretrained"
    layer: str = "layer3"
    batch: int = 8
    size: int = 224
    steps: int = 5  # of each kind in a turn
    turns: int = 20
    recipe: str = "olah2017"
    overrides: list[str] = field(default_factory=list)
    whole_layer: bool = False


class Clock(Callback):
    """The time from one step's start to the next one's."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def on_train_batch_start(self, trainer: Trainer, *_: Any) -> None:
        """Note the time, the device's work done."""
        _wait(trainer.strategy.root_device)
        self.times.append(time.perf_counter())


def main() -> None:
    """Measure and print one table."""
    settings = OmegaConf.merge(OmegaConf.structured(Settings), OmegaConf.from_cli(sys.argv[1:]))
    table = measure(Settings(**settings))  # type: ignore[arg-type]
    width = max(map(len, table))
    for name, value in table.items():
        print(f"{name:<{width}}  {value}")
    _save(table)


def measure(settings: Settings) -> dict[str, Any]:
    """The table: milliseconds for each picture and step, and what follows from them."""
    cfg = compose_default(
        [
            *(f"model={settings.model}", f"model.weights={settings.weights}", f"recipe={settings.recipe}"),
            *(f"schedule.size={settings.size}", *settings.overrides),
        ]
    )
    model = build_model(cfg)
    method = build_method(cfg, model.size)
    trainer = build(cfg.trainer, "trainer", logger=False, enable_checkpointing=False)
    device, precision = trainer.strategy.root_device, trainer.precision_plugin.forward_context
    fast, limit, usual = (Backbone(model, [settings.layer], fast=how) for how in (SpeedOptions(), SpeedOptions(), None))
    visualizer = FilterVisualizer(fast, method, settings.layer, list(range(settings.batch)))
    seen = method.transforms.size(settings.size)
    if cfg.compile is True:
        for backbone in (fast, limit):
            backbone.to(device).compile_for((settings.batch, model.in_channels, seen, seen))
    kinds: dict[str, Callable[[], list[float]]] = {
        "featviz": lambda: _steps(cfg, visualizer, settings.steps),
        "limit": _passes(_truncated(limit, settings), seen, settings, device, precision),
        "limit of these filters": _passes(_truncated(limit, settings, True), seen, settings, device, precision),
        "limit unfolded": _passes(_truncated(usual, settings), seen, settings, device, precision),
        "naive": _passes(_whole(model), seen, settings, device, precision, weights=True),
    }
    if find_spec("lucent"):
        kinds["lucent"] = _apart(settings, None)
        kinds[f"lucent at {seen} px"] = _apart(settings, seen)
    times: dict[str, list[float]] = {name: [] for name in kinds}
    with run_environment():
        for turn in range(settings.turns + 1):
            for name in Random(turn).sample([*kinds], len(kinds)):  # each finds in the caches what another one left
                found = kinds[name]()
                times[name] += found if turn else []
    return _table(settings, device, {name: median(found) for name, found in times.items()}, seen)


def _table(settings: Settings, device: torch.device, step: dict[str, float], seen: int) -> dict[str, Any]:
    each = {f"{name}, ms a picture and step": f"{1000 * t / settings.batch:.2f}" for name, t in step.items()}
    ratios = {f"featviz / {name}": f"{step['featviz'] / t:.2f}" for name, t in step.items() if name != "featviz"}
    memory = torch.cuda.max_memory_allocated() if device.type == "cuda" else _peak_memory()
    return {
        "date": time.strftime("%Y-%m-%d"),
        "machine": f"{_processor(device)}, {torch.get_num_threads()} threads, torch {torch.__version__}",
        "model, layer, recipe": f"{settings.model}, {settings.layer}, {settings.recipe}",
        "batch, size (seen by the network)": f"{settings.batch}, {settings.size} px ({seen} px)",
        **each,
        **ratios,
        "pictures x steps a second": f"{settings.batch / step['featviz']:.1f}",
        "peak memory, MiB": f"{memory / 2**20:.0f}",
        "start-up to the end of the first step, s": f"{_startup():.1f}",
        **({"all filters of the layer, s": f"{_whole_layer(settings):.0f}"} if settings.whole_layer else {}),
    }


def _steps(cfg: Any, visualizer: FilterVisualizer, steps: int) -> list[float]:
    """Seconds of the second step and the next ones, of those that the recipe has."""
    clock = Clock()
    callbacks = [*required_callbacks(visualizer.method, visualizer.objective), clock]
    trainer = build(cfg.trainer, "trainer", logger=False, callbacks=callbacks, enable_checkpointing=False)
    trainer.fit(visualizer, range(steps + 2))
    return [after - before for before, after in pairwise(clock.times)][1:]


def _truncated(backbone: Backbone, settings: Settings, of_the_batch: bool = False) -> nn.Module:
    class Score(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.backbone = backbone

        def forward(self, pictures: Tensor) -> Tensor:
            with backbone.only(range(settings.batch)) if of_the_batch else nullcontext():
                maps = backbone(pictures)[settings.layer]
            return maps.mean((2, 3)).diagonal().sum()

    return Score()


def _whole(model: Model) -> nn.Module:
    class Score(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = model.network

        def forward(self, pictures: Tensor) -> Tensor:
            return model.network(pictures).sum()

    return Score()


def _passes(
    network: nn.Module,
    side: int,
    settings: Settings,
    device: torch.device,
    precision: Callable[[], AbstractContextManager[None]],
    weights: bool = False,
) -> Callable[[], list[float]]:
    def run() -> list[float]:
        network.to(device).requires_grad_(weights)
        pictures = torch.rand(settings.batch, 3, side, side, device=device, requires_grad=True)
        times = []
        for _ in range(settings.steps + 1):
            _wait(device)
            began = time.perf_counter()
            with precision():
                score = network(pictures)
            score.backward()
            _wait(device)
            times.append(time.perf_counter() - began)
            network.zero_grad()
            pictures.grad = None
        network.requires_grad_(False)
        return times[1:]

    return run


def _apart(settings: Settings, seen: int | None) -> Callable[[], list[float]]:
    pool = ProcessPoolExecutor(
        1, get_context("spawn"), initializer=torch.set_num_threads, initargs=(torch.get_num_threads(),)
    )
    network = settings.model, settings.weights, settings.layer
    return lambda: pool.submit(lucent_steps, network, settings.batch, settings.size, settings.steps, seen).result()


class FirstStep(Callback):
    """Prints when the first step has ended."""

    def on_train_batch_end(self, _trainer: Trainer, _module: Any, _outputs: Any, _batch: Any, batch_idx: int) -> None:
        """Print the time."""
        if batch_idx == 0:
            print(f"first step: {time.time()}", flush=True)


def _startup() -> float:
    """Seconds from typing the command to the end of the first step, with a small picture of one filter."""
    settings = ["filters=0", "schedule.size=64", "schedule.steps=1", "+callbacks.first._target_=bench.FirstStep"]
    began = time.time()
    printed = re.search(r"first step: ([\d.]+)", _run(*settings))
    assert printed
    return float(printed[1]) - began


def _whole_layer(settings: Settings) -> float:
    """Seconds of a whole run of all filters of the layer, start-up included."""
    began = time.time()
    _run(
        *(f"model={settings.model}", f"model.weights={settings.weights}", f"layer={settings.layer}", "filters=all"),
        *("batch_size=auto", f"recipe={settings.recipe}", f"schedule.size={settings.size}", *settings.overrides),
    )
    return time.time() - began


def _run(*settings: str) -> str:
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "featviz", "logger=none", f"hydra.run.dir={folder}", *settings]
        done = subprocess.run(
            command, check=True, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": _importable()}
        )
        return done.stdout


def _importable() -> str:
    return os.pathsep.join([str(Path(__file__).parent), *filter(None, [os.environ.get("PYTHONPATH")])])


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _peak_memory() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _processor(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    return next((line.partition(":")[2].strip() for line in lines if "model name" in line), platform.processor())


def _save(table: dict[str, Any]) -> None:
    path = Path("outputs/bench.csv")
    path.parent.mkdir(exist_ok=True)
    fresh = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.writer(file)
        if fresh:
            writer.writerow(["table"])
        writer.writerow([json.dumps(table)])


if __name__ == "__main__":
    answer_help(__doc__)
    main()
