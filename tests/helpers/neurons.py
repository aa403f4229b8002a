"""Simulated neurons, whose most exciting input is known: Gabor cells for pictures, and for films of moving gratings."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn


def gabor(
    shape: Sequence[int], angle: float, cycles: float, phase: float, center: Sequence[float], width: float
) -> Tensor:
    """A grating of so many cycles per px under a Gaussian window of ``width`` px, (H, W), of length 1 and sum 0.

    ``center`` is its place, in shares of height and width.
    """
    rows, columns = torch.meshgrid(*(torch.arange(side, dtype=torch.float64) for side in shape[-2:]), indexing="ij")
    y, x = rows - center[0] * (shape[-2] - 1), columns - center[1] * (shape[-1] - 1)
    window = torch.exp(-(x**2 + y**2) / (2 * width**2))
    wave = window * torch.cos(2 * math.pi * cycles * (x * math.cos(angle) + y * math.sin(angle)) + phase)
    wave = wave - window * (wave.sum() / window.sum())
    return (wave / wave.norm()).float()


def gabors(count: int, shape: Sequence[int], phase: float = 0.0, seed: int = 0) -> Tensor:
    """So many Gabor filters at random places and angles, (count, H * W)."""
    drawn = torch.rand(count, 4, generator=torch.Generator().manual_seed(seed)).tolist()
    side = min(shape[-2:])
    return torch.stack([
        gabor(shape, math.pi * a, (1 + b) * 2 / side, phase, (0.3 + 0.4 * c, 0.3 + 0.4 * d), side / 8).flatten()
        for a, b, c, d in drawn
    ])  # fmt: skip


class Cells(nn.Module):
    """``count`` neurons that look at pictures (N, 1, H, W) through pairs of Gabor filters, even and odd.

    Simple cells answer with the even filter alone; complex ones with the energy of both; normalizing ones with that
    energy over a constant plus the mean energy of all (divisive normalization).
    """

    def __init__(self, kinds: str, shape: Sequence[int] = (24, 24), seed: int = 0) -> None:
        super().__init__()
        self.kinds = list(kinds)
        even, odd = (gabors(len(kinds), shape, phase, seed) for phase in (0.0, -math.pi / 2))
        self.even, self.odd = _linear(even), _linear(odd)
        for kind in "scn":
            self.register_buffer(f"is_{kind}", torch.tensor([each == kind for each in kinds]))

    def forward(self, x: Tensor) -> Tensor:
        flat = x.flatten(1)
        even, odd = self.even(flat), self.odd(flat)
        energy = even.square() + odd.square()
        normalized = energy / (1 + energy.mean(1, keepdim=True))
        return torch.where(self.is_s, even, torch.where(self.is_c, energy, normalized))

    def highest(self, unit: int, norm: float) -> float:
        """The highest answer of a simple or complex cell to a picture of this L2 norm."""
        if self.kinds[unit] == "s":
            return norm * self.even.weight[unit].norm().item()
        pair = torch.stack([self.even.weight[unit], self.odd.weight[unit]]).double()
        return norm**2 * torch.linalg.eigvalsh(pair @ pair.T)[-1].item()


def _linear(filters: Tensor) -> nn.Linear:
    """A linear layer of these weights."""
    layer = nn.Linear(filters.shape[1], filters.shape[0], bias=False).requires_grad_(False)
    layer.weight.copy_(filters)
    return layer


def population(shape: Sequence[int] = (36, 64)) -> Cells:
    """256 neurons: half simple, a quarter complex, a quarter with divisive normalization."""
    return Cells("s" * 128 + "c" * 64 + "n" * 64, shape)


class FilmCells(nn.Module):
    """Four neurons that look at films (N, 1, T, H, W), each through a filter of space and time of length 1.

    0 is separable: a Gabor filter times a course in time. 1 prefers a grating that moves to one side, 2 to the other. 3
    has the energy of a quadrature pair that moves as 1 does.
    """

    def __init__(self, shape: Sequence[int] = (40, 12, 12)) -> None:
        super().__init__()
        self.shape = tuple(shape)
        time = torch.linspace(-1, 1, shape[0])
        course = torch.exp(-((time - 0.4) ** 2) / 0.02) - torch.exp(-((time + 0.1) ** 2) / 0.08) / 2
        separable = course[:, None, None] * self._gabor(0.0)
        filters = [separable, *(self.moving(step) for step in (0.4, -0.4)), self.moving(0.4, -math.pi / 2)]
        stacked = torch.stack([(each / each.norm()).flatten() for each in filters])
        self.register_buffer("filters", stacked)

    def moving(self, step: float, phase: float = 0.0) -> Tensor:
        """A grating whose phase changes by ``step`` radians from frame to frame, under a window of time."""
        time = torch.linspace(-1, 1, self.shape[0])
        frames = [self._gabor(phase + step * at) for at in range(self.shape[0])]
        return torch.exp(-(time**2) / 0.2)[:, None, None] * torch.stack(frames)

    def _gabor(self, phase: float) -> Tensor:
        side = min(self.shape[-2:])
        return gabor(self.shape, 0.3, 2 / side, phase, (0.5, 0.5), side / 5)

    def forward(self, x: Tensor) -> Tensor:
        answers = x.flatten(1) @ self.filters.T
        energy = answers[:, 1].square() + answers[:, 3].square()
        return torch.cat([answers[:, :3], energy[:, None]], 1)
