"""A folder of photos, and what is read off a network for them."""

import csv
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from tiny_networks import Tiny

from featviz.models.model import Model

NAMES = [f"{at:03d}.png" for at in range(70)]


def write_photos(folder: Path) -> Path:
    """70 photos of smooth noise, of which number 65 is number 3 again; wider than high, or higher than wide."""
    rng = np.random.default_rng(0)
    for at, name in enumerate(NAMES):
        blocks = Image.fromarray(rng.integers(0, 256, (6, 6, 3), np.uint8))
        photo = blocks.resize((60, 50) if at % 2 else (96, 130), Image.Resampling.BICUBIC)
        photo.save(folder / name, compress_level=1)
    (folder / "065.png").write_bytes((folder / "003.png").read_bytes())
    return folder


def tiny() -> Model:
    """A network for pictures of 48 px."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Model("tiny", Tiny(), (0.45,), (0.25,), 48, "given")


def table(file: Path) -> list[dict[str, str]]:
    """The rows of a table, as text."""
    with file.open(newline="") as opened:
        return list(csv.DictReader(opened))
