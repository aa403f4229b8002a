"""What streaming photos through a network costs: photos per second, and memory.

    python scripts/bench_exemplars.py speed photos=512 side=256 turns=5
    python scripts/bench_exemplars.py memory photos=2000

``speed`` writes JPEG files of ``side`` px (of noise as smooth as that of photos), and measures in turns the network
alone on pictures in memory, reading alone, and both together as task=exemplars does it, top photos and statistics of
all filters of ``layer`` included; medians over the turns. ``memory`` streams a quarter of the photos, then all of them,
small ones, through a network of two convolutions, and prints the peak memory of the process after each.
"""

from __future__ import annotations

import platform
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
import torch
from arguments import answer_help
from omegaconf import OmegaConf
from PIL import Image
from torch import nn

from featviz.config.build import build_model
from featviz.config.compose import compose_default
from featviz.models.backbone import Backbone
from featviz.models.model import Model
from featviz.models.receptive_field import ReceptiveField
from featviz.models.speed.faster_copy import SpeedOptions
from featviz.photos.search import find_exemplars
from featviz.photos.stream import PhotoStream

BATCH = 32
REFERENCES = 128
EVERYTHING = ReceptiveField(None, None)


@dataclass
class Settings:
    """What is measured."""

    photos: int = 512
    side: int = 256
    turns: int = 5
    model: str = "efficientnet_lite0"
    layer: str = "layer4"


def write_photos(folder: Path, count: int, side: int) -> list[Path]:
    """JPEG files of about as many bytes as photos of that size have: noise whose amplitude falls with its frequency."""
    rng = np.random.default_rng(0)
    files = []
    for number in range(count):
        picture = np.zeros((side, side, 3))
        for cells in (4, 16, 64, 256):
            noise = Image.fromarray(rng.integers(0, 256, (min(cells, side), min(cells, side), 3), np.uint8))
            picture += np.array(noise.resize((side, side), Image.Resampling.BICUBIC), float) / cells**0.6
        picture -= picture.min()
        files.append(folder / f"{number:06d}.jpg")
        Image.fromarray((picture * (255 / picture.max())).astype(np.uint8)).save(files[-1], quality=90)
    return files


def speed(settings: Settings) -> None:
    """Print photos per second: the network alone, reading alone, both."""
    model = build_model(compose_default([f"model={settings.model}"]))
    backbone = Backbone(model, [settings.layer], fast=SpeedOptions())
    filters = {settings.layer: list(range(backbone.layers[settings.layer].channels or 0))}
    with tempfile.TemporaryDirectory() as folder:
        files = write_photos(Path(folder), settings.photos // BATCH * BATCH, settings.side)
        kilobytes = sum(file.stat().st_size for file in files) / len(files) / 1000
        stream = PhotoStream(files, model.size, model.in_channels, BATCH)
        (pictures,) = (batch.pictures for batch in PhotoStream(files[:BATCH], model.size, model.in_channels, BATCH))
        measured: dict[str, Callable[[], object]] = {
            "network alone": lambda: alone(backbone, pictures, len(files) // BATCH),
            "reading alone": lambda: [batch.numbers for batch in stream],
            "task=exemplars": lambda: find_exemplars(
                backbone, filters, stream, stream, dict.fromkeys(filters, EVERYTHING)
            ),
        }
        rates = in_turns(measured, len(files), settings.turns)
    print(
        f"{settings.model} {settings.layer}, {model.size} px, {torch.get_num_threads()} threads, {platform.machine()}"
    )
    print(f"{len(files)} JPEG files of {settings.side} px, {kilobytes:.0f} kB each")
    limit = rates["network alone"]
    for name, found in rates.items():
        shares = [one / other for one, other in zip(found, limit, strict=True)]
        print(f"{name:15} {median(found):7.1f} photos/s   {median(shares):6.1%} of the network alone")


def alone(backbone: Backbone, pictures: torch.Tensor, batches: int) -> None:
    """The network on pictures in memory."""
    with torch.inference_mode():
        for _ in range(batches):
            backbone(pictures)


def in_turns(measured: dict[str, Callable[[], object]], photos: int, turns: int) -> dict[str, list[float]]:
    """Photos per second of each, turn after turn; what comes before the first turn does not count."""
    rates: dict[str, list[float]] = {name: [] for name in measured}
    for turn in range(turns + 1):
        for name, call in measured.items():
            began = time.perf_counter()
            call()
            if turn:
                rates[name].append(photos / (time.perf_counter() - began))
    return rates


def memory(settings: Settings) -> None:
    """Print the peak memory after a quarter of the photos, and after all of them."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 8, 5, 2), nn.ReLU(), nn.Conv2d(8, 32, 3))
    backbone = Backbone(Model("two convolutions", network, (0.5,), (0.25,), 64, "random"), ["2"])
    filters = {"2": list(range(32))}
    with tempfile.TemporaryDirectory() as folder:
        files = write_photos(Path(folder), settings.photos, 64)
        for count in (settings.photos // 4, settings.photos):
            stream = PhotoStream(files[:count], 64, 3, BATCH)
            find_exemplars(backbone, filters, stream, stream, {"2": EVERYTHING}, relations=True, references=REFERENCES)
            print(f"{count:6d} photos   {peak():7.1f} MB")


def peak() -> float:
    """Peak memory of this process so far, MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)


def main() -> None:
    """Read what is to be measured."""
    kinds = {"speed": speed, "memory": memory}
    kind, *rest = sys.argv[1:] or [""]
    if kind not in kinds:
        sys.exit(__doc__)
    settings = OmegaConf.merge(OmegaConf.structured(Settings), OmegaConf.from_dotlist(rest))
    kinds[kind](OmegaConf.to_object(settings))  # type: ignore[arg-type]


if __name__ == "__main__":
    answer_help(__doc__)
    main()
