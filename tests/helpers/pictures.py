"""Pictures and what they are made of, for tests of every folder."""

import math
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def generators(*seeds: int) -> list[torch.Generator]:
    """A generator for each picture."""
    return [torch.Generator().manual_seed(seed) for seed in seeds]


def lucid_matrix() -> np.ndarray:
    """Lucid's correlation of colors."""
    matrix = np.array([[0.26, 0.09, 0.02], [0.27, 0.00, -0.05], [0.27, -0.09, 0.03]])
    return matrix / np.linalg.norm(matrix, axis=0).max()


def psnr(one: Tensor | np.ndarray, other: Tensor | np.ndarray) -> float:
    """The peak signal-to-noise ratio in dB, of pictures from 0 to 1; at most 200."""
    difference = np.asarray(one, dtype=float) - np.asarray(other, dtype=float)
    return -10 * math.log10(max((difference**2).mean(), 1e-20))


def pixels(path: Path) -> Tensor:
    """A file's numbers (H, W, C), from 0 to 1."""
    with Image.open(path) as image:
        return torch.from_numpy(np.array(image)).float() / 255


def pngs(folder: Path) -> dict[str, bytes]:
    """The bytes of every picture of a run, by its path below the run folder."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in (folder / "images").rglob("*.png")}


def random_pictures(count: int, size: int, channels: int = 3) -> Tensor:
    """Pictures of even noise, always the same."""
    return torch.rand(count, channels, size, size, generator=torch.Generator().manual_seed(0))


def drawn(count: int, draws: int, seed: int = 1) -> Tensor:
    """Uniform numbers, as transforms get them."""
    return torch.rand(count, draws, generator=torch.Generator().manual_seed(seed))


def photo(width: int = 48, height: int = 48) -> Image.Image:
    """Colors that differ from place to place, without noise."""
    y, x = np.mgrid[0:height, 0:width] / 48
    colors = np.stack([0.2 + 0.6 * x, 0.8 - 0.6 * y, 0.3 + 0.4 * (x > y)], -1)
    return Image.fromarray((255 * colors).round().astype(np.uint8))
