"""Three small networks such as students have, and what they are trained on: digits, and stripes, dots and disks."""

from itertools import pairwise

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn import functional as F


class DigitNetwork(nn.Module):
    """Two convolutions, each with a pool, and two linear layers: one channel, 28 px and no other size."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 16, 5, padding=2), nn.Conv2d(16, 32, 5, padding=2)
        self.fc1, self.fc2 = nn.Linear(32 * 7 * 7, 64), nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        return self.fc2(F.relu(self.fc1(x.flatten(1))))


class Block(nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs)
        self.conv2, self.bn2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False), nn.BatchNorm2d(outputs)
        projection = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))
        self.shortcut = nn.Identity() if inputs == outputs and stride == 1 else projection

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x))))) + self.shortcut(x))


class CifarResNet(nn.Module):
    """A residual network whose stem has no stride, for 32 px."""

    def __init__(self, width: int = 8, classes: int = 6) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU())
        self.layer1, self.layer2 = Block(width, width, 1), Block(width, 2 * width, 2)
        self.layer3, self.fc = Block(2 * width, 4 * width, 2), nn.Linear(4 * width, classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.layer3(self.layer2(self.layer1(self.stem(x)))).mean((2, 3)))


class Strided(nn.Module):
    """Four strided convolutions with batch norms, for 64 px."""

    def __init__(self, classes: int = 6) -> None:
        super().__init__()
        widths = (3, 16, 24, 32, 48)
        self.features = nn.Sequential(
            *(
                nn.Sequential(nn.Conv2d(before, width, 3, 2, 1), nn.BatchNorm2d(width), nn.ReLU(inplace=True))
                for before, width in pairwise(widths)
            )
        )
        self.classifier = nn.Linear(widths[-1], classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.features(x).mean((2, 3)))


def digits() -> tuple[Tensor, Tensor]:
    """scikit-learn's digits of 8 px as 20 px in the middle of 28, as MNIST's lie: (1797, 1, 28, 28), and classes."""
    data = load_digits()
    pictures = torch.from_numpy(data.images).float()[:, None] / 16
    return F.pad(F.interpolate(pictures, (20, 20), mode="bilinear"), (4, 4, 4, 4)), torch.from_numpy(data.target)


def patterns(count: int, size: int, seed: int) -> tuple[Tensor, Tensor]:
    """Stripes of four directions, dots, and a disk, in random colors: (count, 3, size, size), and their classes."""
    rng = np.random.default_rng(seed)
    classes = rng.integers(0, 6, count)
    rows, columns = np.mgrid[:size, :size] / size - 0.5
    pictures = np.empty((count, 3, size, size), np.float32)
    for at, label in enumerate(classes):
        x, y = columns - rng.uniform(-0.15, 0.15), rows - rng.uniform(-0.15, 0.15)
        wave = 2 * np.pi / rng.uniform(0.15, 0.3)
        figures = [
            np.sin(y * wave) > 0,
            np.sin(x * wave) > 0,
            np.sin((x + y) * wave * 0.7) > 0,
            np.sin((x - y) * wave * 0.7) > 0,
            np.cos(x * wave) + np.cos(y * wave) > 0.8,
            np.hypot(x, y) < rng.uniform(0.2, 0.35),
        ]
        front = rng.uniform(0, 1, (3, 1, 1))
        back = (front + rng.uniform(0.4, 0.6, (3, 1, 1))) % 1
        pictures[at] = np.where(figures[label], front, back) + rng.normal(0, 0.04, (3, size, size))
    return torch.from_numpy(pictures.clip(0, 1)), torch.from_numpy(classes)


def train(network: nn.Module, pictures: Tensor, classes: Tensor, seed: int, epochs: int) -> nn.Module:
    """Train it on pictures that are rolled by up to 2 px; returns it in eval mode."""
    network = network.to(memory_format=torch.channels_last)  # in which a CPU needs two thirds of the time
    pictures = pictures.contiguous(memory_format=torch.channels_last)
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(network.parameters(), 3e-3, weight_decay=1e-2)
    rates = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, epochs * (len(pictures) // 64))
    for _ in range(epochs):
        for batch in torch.randperm(len(pictures), generator=generator).split(64)[: len(pictures) // 64]:
            shift = torch.randint(-2, 3, (2,), generator=generator).tolist()
            loss = F.cross_entropy(network(pictures[batch].roll(shift, (2, 3))), classes[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            rates.step()
    return network.eval()
