"""How well "what feeds a unit" tells what the unit loses, whether duplicates are found, and what all this costs.

    python scripts/bench_relations.py ablation photos=FOLDER units=32
    python scripts/bench_relations.py duplicates
    python scripts/bench_relations.py cost photos=FOLDER filters=all
    python scripts/bench_relations.py memory photos=FOLDER count=2000

``ablation`` sets each filter of the source to zero, one after the other, on each unit's exemplars, and compares what
the unit loses with gradient times activation and with several figures of the expanded weights: Spearman's rank
correlation over all filters of the source, median over ``units`` that are spread evenly over the layer. Without
``photos`` the exemplars are crops of the photos that come with matplotlib, scikit-image and scikit-learn.
``duplicates`` plants 8 copies among 64 filters. ``cost`` times a pass without and with relations. ``memory`` streams a
quarter of the photos, then all, and prints the peak after each.
"""

from __future__ import annotations

import logging
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import matplotlib.cbook
import numpy as np
import torch
from arguments import answer_help
from omegaconf import OmegaConf
from PIL import Image
from scipy.stats import spearmanr
from skimage import data
from sklearn.datasets import load_sample_images
from torch import Tensor, nn

import featviz
from featviz.config.build import build_model
from featviz.config.compose import compose_default
from featviz.metrics.relations.expanded_weights import expanded_weights
from featviz.metrics.relations.gradient_inputs import gradient_inputs
from featviz.metrics.relations.segment import Segment
from featviz.metrics.relations.similarity import cosines, nearest_units
from featviz.metrics.relations.sources import Sources
from featviz.metrics.relations.unit_photos import shared
from featviz.metrics.relations.weight_vectors import own_weights
from featviz.models.hooks import forward_hooks
from featviz.models.tracing import trace
from featviz.photos.exemplar_folder import load_photos

CROPS = 40  # of each photo of a package
FROM_SCIKIT_IMAGE = ("astronaut", "chelsea", "coffee", "rocket", "immunohistochemistry", "retina")


@dataclass
class Settings:
    """What is measured."""

    photos: str = ""
    model: str = "efficientnet_lite0"
    layer: str = "layer4"
    source: str = ""
    units: int = 32
    k: int = 9
    by: str = "mean"
    filters: str = "all"
    count: int = 2000


def package_photos() -> list[Image.Image]:
    """Photos that come with packages."""
    arrays = [getattr(data, name)() for name in FROM_SCIKIT_IMAGE if hasattr(data, name)]
    arrays += load_sample_images().images
    with matplotlib.cbook.get_sample_data("grace_hopper.jpg") as file:
        arrays.append(np.array(Image.open(file).convert("RGB")))
    return [Image.fromarray(np.asarray(array)[..., :3]) for array in arrays]


def write_crops(folder: Path) -> Path:
    """Squares of the photos, of a quarter of the side and more."""
    rng = np.random.default_rng(0)
    for number, photo in enumerate(package_photos()):
        for crop in range(CROPS):
            side = int(min(photo.size) * rng.uniform(0.25, 1))
            left, top = (int(rng.integers(0, length - side + 1)) for length in photo.size)
            photo.crop((left, top, left + side, top + side)).save(folder / f"{number:02d}_{crop:02d}.png")
    return folder


def ablation(settings: Settings) -> None:
    """Print the rank correlation of each figure with what units lose."""
    model = build_model(compose_default([f"model={settings.model}"]))
    traced = trace(model)
    sources, layer = Sources(model, traced), traced.resolve(settings.layer)
    source = traced.resolve(settings.source) if settings.source else sources.directly_before(layer)
    assert source is not None
    count = layer.channels or 0
    units = [at * count // settings.units for at in range(settings.units)]
    with tempfile.TemporaryDirectory() as path:
        folder = Path(settings.photos) if settings.photos else write_crops(Path(path))
        found = featviz.exemplars(model, folder, settings.layer, units, k=settings.k, by=settings.by)
        exemplars = [[one.photo for one in found.strongest if one.filter == unit] for unit in units]
        segment = sources.segment(source, layer)
        losses = [lost(segment, unit, its, settings.by) for unit, its in zip(units, exemplars, strict=True)]
        figures = {
            f"gradient x activation, {k} exemplars": gradient_inputs(segment, units, shared(exemplars, k), settings.by)
            for k in (1, 3, settings.k)
        }
        activation = mean_activation(segment, exemplars[0])
    weights = expanded_weights(segment, units)
    figures |= {
        "weights, sum": weights.sum(2),
        "weights, strongest position": weights.gather(2, weights.abs().argmax(2, keepdim=True))[:, :, 0],
        "weights, norm with the sum's sign": weights.norm(dim=2) * weights.sum(2).sign(),
        "weights, sum, times mean activation": weights.sum(2) * activation,
    }
    print(f"{settings.model}, {settings.units} units of {settings.layer}, {source.channels} filters of {source.name}")
    for name, strengths in figures.items():
        each = [spearmanr(own, loss).statistic for own, loss in zip(strengths, losses, strict=True)]
        print(f"{name:40} Spearman {median(each):.3f}, {min(each):.3f} to {max(each):.3f}")


class _Reached(Exception):
    """Ends a pass at the target."""


@torch.no_grad()
def lost(segment: Segment, unit: int, photos: Sequence[Path], by: str) -> Tensor:
    """What a unit loses on its photos, on average, where each filter of the source is zero, (source filters,).

    The network up to the source is passed once: all of what the target hands out has to go through it.
    """
    model, layout = segment.model, segment.source.layout
    assert layout is not None
    pictures = load_photos(photos, model.size, model.in_channels)
    with segment.open() as opened:
        whole = opened(pictures).source.detach()
    found = [figure(segment, whole, by)[:, unit].mean()]
    for number in range(segment.source.channels or 0):
        zeroed = whole.clone()
        zeroed.select(layout.channel_axis, number).zero_()
        found.append(figure(segment, zeroed, by)[:, unit].mean())
    return found[0] - torch.stack(found[1:])


def figure(segment: Segment, source: Tensor, by: str) -> Tensor:
    """The figure of all units where the source hands out this, whatever the picture."""
    kept = list[Tensor]()

    def end(output: Tensor) -> None:
        kept.append(output)
        raise _Reached

    hooks = {segment.source.name: lambda *_: source, segment.target.name: lambda *called: end(called[2])}
    modules = [(name, segment.model.network.get_submodule(name)) for name in hooks]
    with forward_hooks(modules, hooks.__getitem__), suppress(_Reached):
        segment.model.network(torch.zeros(1, segment.model.in_channels, 64, 64))
    return segment.figures(kept[0], by)


def mean_activation(segment: Segment, photos: Sequence[Path]) -> Tensor:
    """What the source's filters hand out on average, (source filters,)."""
    with segment.open() as opened:
        passed = opened(load_photos(photos, segment.model.size, segment.model.in_channels))
        return segment.by_filter(passed.source.detach()).mean((0, 2))


def duplicates(settings: Settings) -> None:  # noqa: ARG001
    """Print how many of 8 planted copies are found first."""
    torch.manual_seed(0)
    convolution, order = nn.Conv2d(16, 64, 3), torch.randperm(64).tolist()
    pairs = dict(zip(order[:8], order[8:16], strict=True))
    with torch.no_grad():
        for copy, original in pairs.items():
            convolution.weight[copy] = convolution.weight[original] * 2 + 0.01 * torch.randn(16, 3, 3)
    vectors = own_weights(convolution)
    assert vectors is not None
    nearest = nearest_units(cosines(vectors, list(pairs)), list(pairs))
    print(f"{sum(others[0][0] == pairs[at] for at, others in zip(pairs, nearest, strict=True))} of 8 found first")


def cost(settings: Settings) -> None:
    """Print the seconds of a pass without relations and with them, each in a process of its own, in turns."""
    task = ["task=exemplars", f"data={settings.photos}", f"layer={settings.layer}", f"filters={settings.filters}"]
    seconds: dict[str, list[float]] = {"false": [], "true": []}
    for _ in range(2):
        for choice, times in seconds.items():
            with tempfile.TemporaryDirectory() as folder:
                command = [
                    sys.executable,
                    "-m",
                    "featviz",
                    *task,
                    f"relations={choice}",
                    "report=none",
                    f"output={folder}",
                ]
                before = os.times()
                subprocess.run(command, check=True, capture_output=True)
                after = os.times()
                times.append(
                    after.children_user + after.children_system - before.children_user - before.children_system
                )
    without, together = min(seconds["false"]), min(seconds["true"])
    print(f"{settings.layer}, filters={settings.filters}: {without:.1f} s of CPU, with relations {together:.1f} s")


def memory(settings: Settings) -> None:
    """Print the peak memory of task=exemplars after a quarter of the photos, and after all of them."""
    for count in (settings.count // 4, settings.count):
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, "-m", "featviz", "task=exemplars", f"layer={settings.layer}", "report=none"]
            command += [f"data={settings.photos}", f"limit={count}", f"filters={settings.filters}", f"output={folder}"]
            subprocess.run(command, check=True, capture_output=True)
        print(f"{count:6d} photos   {resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e3:7.1f} MB")


def main() -> None:
    """Read what is to be measured."""
    logging.basicConfig(level=logging.WARNING)
    kinds = {"ablation": ablation, "duplicates": duplicates, "cost": cost, "memory": memory}
    kind, *rest = sys.argv[1:] or [""]
    if kind not in kinds:
        sys.exit(__doc__)
    settings = OmegaConf.merge(OmegaConf.structured(Settings), OmegaConf.from_dotlist(rest))
    began = time.perf_counter()
    kinds[kind](OmegaConf.to_object(settings))  # type: ignore[arg-type]
    print(f"({time.perf_counter() - began:.0f} s)")


if __name__ == "__main__":
    answer_help(__doc__)
    main()
