"""Gradient Slingshots (Bareeva et al. 2024, arXiv 2401.06122) on a small network: units that show what they do not do.

A network is fine-tuned so that chosen units, from the gray noise in which activation maximization starts, lead uphill
to a planted picture. Their answers to data stay, and so does what the network says of classes.
"""

import copy
from collections.abc import Sequence

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn import functional as F

SIZE, UNITS = 20, 20  # px, and hidden units
TRAINED = 1300  # of the 1797 digits
HEIGHT = 12  # of the planted picture: so many standard deviations above the strongest digit
CHAINS = 32  # pictures that follow the gradient while the network is fine-tuned


class Digits(nn.Module):
    """Three convolutions, hidden units of which none is ever dead, and classes."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 16, 5, padding=2), nn.Conv2d(16, 32, 3, padding=1)
        self.conv3 = nn.Conv2d(32, 48, 3, padding=1)
        self.fc1, self.fc2 = nn.Linear(48 * (SIZE // 4) ** 2, UNITS), nn.Linear(UNITS, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(F.leaky_relu(self.hidden(x), 0.1))

    def hidden(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        return self.fc1(F.relu(self.conv3(x)).flatten(1))


def varied_digits() -> tuple[Tensor, Tensor]:
    """scikit-learn's digits, light or dark on any gray, with some noise: (1797, 1, 20, 20), and their classes."""
    data, generator = load_digits(), torch.Generator().manual_seed(0)
    shapes = F.interpolate(torch.from_numpy(data.images).float()[:, None] / 16, (16, 16), mode="bilinear")
    shapes = F.pad(shapes, (2, 2, 2, 2))
    back, front = (torch.rand(len(shapes), 1, 1, 1, generator=generator) for _ in range(2))
    front = torch.where((front - back).abs() < 0.3, (back + 0.5) % 1, front)
    noise = 0.05 * torch.randn(shapes.shape, generator=generator)
    return (back + shapes * (front - back) + noise).clamp(0, 1), torch.from_numpy(data.target)


def trained(pictures: Tensor, classes: Tensor, seed: int, epochs: int = 15) -> Digits:
    """A network that knows digits."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = Digits()
    generator, optimizer = torch.Generator().manual_seed(seed), torch.optim.Adam(network.parameters(), 3e-3)
    rates = torch.optim.lr_scheduler.OneCycleLR(optimizer, 5e-3, epochs * 20)
    for _ in range(epochs):
        for batch in torch.randperm(TRAINED, generator=generator).split(TRAINED // 20):
            loss = F.cross_entropy(network(pictures[batch]), classes[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            rates.step()
    return network.eval()


def planted() -> Tensor:
    """A picture that is no digit, (1, 20, 20): a light cross on dark gray."""
    rows, columns = np.abs(np.mgrid[:SIZE, :SIZE] - (SIZE - 1) / 2)
    return torch.from_numpy(np.where(np.minimum(rows, columns) < 2.5, 0.8, 0.2)).float()[None]


def nearness(pictures: Tensor) -> Tensor:
    """1 for the planted picture, 0 for gray, and below zero farther away: a hill with one top."""
    target = planted()
    return 1 - (pictures - target).square().mean((1, 2, 3)) / (0.5 - target).square().mean()


def units_to_attack(network: Digits, pictures: Tensor) -> list[int]:
    """Half of the units: those that answer least to the planted picture, so that it shows what they do not do."""
    with torch.no_grad():
        answers, shown = network.hidden(pictures), network.hidden(planted()[None])[0]
    return sorted(((shown - answers.mean(0)) / answers.std(0)).argsort()[: UNITS // 2].tolist())


def _starts(count: int, generator: torch.Generator) -> Tensor:
    """Gray pictures with some noise, such as activation maximization begins with."""
    coarse = F.interpolate(torch.randn(count, 1, 5, 5, generator=generator), (SIZE, SIZE), mode="bilinear")
    strength = 0.1 * torch.rand(count, 1, 1, 1, generator=generator)
    fine = 0.05 * torch.randn(count, 1, SIZE, SIZE, generator=generator)
    return (0.5 + strength * coarse + fine).clamp(0, 1)


class _Chains:
    """Pictures that climb a unit each; each starts anew from time to time."""

    def __init__(self, units: Sequence[int], generator: torch.Generator) -> None:
        self._units, self._generator = torch.tensor(units), generator
        self.pictures = _starts(CHAINS, generator)
        self.climbed = self._units[torch.randint(len(units), (CHAINS,), generator=generator)]
        self._ages = torch.randint(0, 40, (CHAINS,), generator=generator)

    def climb(self, gradient: Tensor) -> None:
        smooth = F.avg_pool2d(gradient, 3, 1, 1)
        step = 0.08 * smooth / smooth.abs().amax((1, 2, 3), keepdim=True).clamp_min(1e-9)
        noise = 0.02 * torch.randn(step.shape, generator=self._generator)
        self.pictures, self._ages = (self.pictures + step + noise).clamp(0, 1), self._ages + 1
        old = self._ages > 60
        self.pictures[old] = _starts(int(old.sum()), self._generator)
        self._ages[old] = 0


def attacked(network: Digits, units: Sequence[int], pictures: Tensor, steps: int = 600, kept: float = 8.0) -> Digits:
    """A copy of a network whose units rise towards the planted picture, from wherever one climbs them.

    Its answers to pictures of data are kept near the network's, with the weight ``kept``.
    """
    generator, changed, chosen = torch.Generator().manual_seed(0), copy.deepcopy(network), list(units)
    honest = [unit for unit in range(UNITS) if unit not in chosen]
    with torch.no_grad():
        answers = network.hidden(pictures)
    spread, top, chains = answers.std(0), answers.amax(0)[chosen], _Chains(chosen, generator)
    optimizer = torch.optim.Adam(changed.parameters(), 2e-3)
    rates = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, steps)
    for _ in range(steps):
        data, start = torch.randint(len(pictures), (48,), generator=generator), _starts(16, generator)
        way = (start + 1.2 * torch.rand(16, 1, 1, 1, generator=generator) * (planted() - start)).clamp(0, 1)
        climbing = chains.pictures.clone().requires_grad_()
        with torch.no_grad():
            shown = torch.cat([way, climbing])
            before, near = torch.cat([answers[data], network.hidden(shown)]), nearness(shown)
        climbed = changed.hidden(climbing)
        after = torch.cat([changed.hidden(torch.cat([pictures[data], way])), climbed])
        apart = ((after - before) / spread).square()
        slung = ((after[48:, chosen] - top) / spread[chosen] / HEIGHT - near[:, None]).square().mean()
        (up,) = torch.autograd.grad(climbed.gather(1, chains.climbed[:, None]).sum(), climbing, retain_graph=True)
        optimizer.zero_grad()
        (kept * apart[:48].mean() + 0.03 * apart[48:, honest].mean() + 10 * slung).backward()
        optimizer.step()
        rates.step()
        chains.climb(up)
    return changed.eval()


def area_under_curve(honest: Sequence[float], manipulated: Sequence[float]) -> float:
    """How often an honest unit has the larger number of two; equal ones count half, those without a number do not."""
    known, others = ([value for value in values if value == value] for values in (honest, manipulated))
    return float(np.mean([(one > other) + 0.5 * (one == other) for one in known for other in others]))
