"""Encoding models in short: a core, and a readout of neurons for each recording."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Encoder(nn.Module):
    """Called with pictures and a data key; a running animal answers more, by its ``behavior`` (N, 1)."""

    def __init__(self, mouse1: int = 5, mouse2: int = 7, channels: int = 1) -> None:
        super().__init__()
        self.core = nn.Sequential(nn.Conv2d(channels, 4, 5), nn.ReLU(), nn.AdaptiveAvgPool2d(4), nn.Flatten())
        self.readouts = nn.ModuleDict({"mouse1": nn.Linear(64, mouse1), "mouse2": nn.Linear(64, mouse2)})

    def forward(self, x: Tensor, data_key: str, behavior: Tensor | None = None) -> Tensor:
        answers = F.elu(self.readouts[data_key](self.core(x))) + 1
        return answers if behavior is None else answers * (1 + behavior)


def encoder(seed: int = 0, **sizes: int) -> Encoder:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return Encoder(**sizes).eval()
