"""What every transform can do, and how it draws: from uniform numbers that come from outside, and from nothing else."""

from __future__ import annotations

from typing import Self

import torch
from torch import Tensor

from featviz.errors import FeatvizError
from featviz.shapes import Size

GRAY = 0.5
STEPS = 2**24  # torch.rand gives multiples of 1 / STEPS


class Transform:
    """Changes pictures (N, C, H, W) by ``draws`` uniform numbers for each, (N, draws) on the CPU.

    One that makes several ``copies`` of each picture gives (copies * N, C, H, W): first copies come first. All frames
    of a film are changed alike, as pictures, but by one that ``takes_films``, which is called with (N, C, T, H, W).

    Sizes are in px: one number for a square, else height and width, behind the frames of a film.
    """

    draws: int = 0
    copies: int = 1
    takes_films: bool = False

    def canvas(self, size: Size) -> Size:
        """The size of the canvas after it."""
        return size

    def for_pictures(self, size: Size) -> Self:
        """The transform as it is for pictures of ``size`` px, where that makes a difference."""
        return self

    def for_network(self, size: Size) -> Self:
        """The transform as it is for a network that takes pictures of ``size`` px, where that makes a difference."""
        return self

    def __call__(self, pictures: Tensor, draws: Tensor, progress: float = 0.0) -> Tensor:
        """Return the changed pictures; ``progress`` goes from 0 to 1 over the run."""
        raise NotImplementedError


def size_for_network(name: str, size: Size | None) -> Size:
    """A size in px that is known; FeatvizError where it is the network's own and nobody has said which that is."""
    if size is None:
        raise FeatvizError(setting=f"{name}.size", got=size, expected="px, or for_network to be called before")
    return size


def normals(draws: Tensor) -> Tensor:
    """Standard normal numbers from uniform ones in [0, 1), by the inverse of the normal distribution; all finite."""
    return torch.special.ndtri(draws.double() + 0.5 / STEPS).float()


def generators(draws: Tensor) -> list[torch.Generator]:
    """A generator on the CPU for each picture, seeded by its two draws (N, 2): for more numbers than can be drawn."""
    parts = (draws.double() * STEPS).long()
    return [torch.Generator().manual_seed(seed) for seed in (parts[:, 0] * STEPS + parts[:, 1]).tolist()]


def at_least_float32(pictures: Tensor) -> Tensor:
    """Pictures of 32 bits or more: with fewer, not every device can resample."""
    return pictures.to(torch.promote_types(pictures.dtype, torch.float32))
