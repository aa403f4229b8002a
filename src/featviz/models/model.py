"""What featviz knows of a network: the module, its preprocessing, its stages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import nn

from featviz.errors import FeatvizError
from featviz.models.network_checks import check_network, in_float32

STAGES = ("layer1", "layer2", "layer3", "layer4")


@dataclass
class Model:
    """A network with its weights and its preprocessing.

    ``mean`` and ``std`` are those of the pictures it was trained on, for values in [0, 1], one number for
    each input channel; ``size`` is its input's side in px; ``weights`` says where its weights come from
    (``pretrained``, ``random``, ``given``, or a file's path); ``stages`` gives module names to the stage
    names ``layer1`` to ``layer4`` (strides 4, 8, 16, 32) and may be empty: they are then read off the
    network; ``classes`` are the names of its outputs, where they are known.
    """

    name: str
    network: nn.Module
    mean: tuple[float, ...]
    std: tuple[float, ...]
    size: int
    weights: str
    stages: dict[str, str] = field(default_factory=dict)
    classes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Freeze the network, put it in eval mode, and give each input channel its mean and std."""
        check_network(self.network)
        self.network = in_float32(self.network)
        self.network.eval().requires_grad_(False)
        self.mean = _per_channel("mean", self.mean, self.in_channels)
        self.std = _per_channel("std", self.std, self.in_channels)
        if min(self.std) <= 0:
            raise FeatvizError(f"model {self.name}: std must be above zero, but is {list(self.std)}")
        modules = [name for name, _ in self.network.named_modules() if name]
        for stage, module in self.stages.items():
            if stage not in STAGES:
                raise FeatvizError(f"model {self.name}: stages are {', '.join(STAGES)}, not '{stage}'")
            if module not in modules:
                raise FeatvizError(f"model {self.name}: {stage} is no module '{module}'", got=module, known=modules)

    @property
    def in_channels(self) -> int:
        """Channels of the pictures that the network takes, read off its first convolution (3 without one)."""
        return in_channels(self.network)

    @property
    def label(self) -> str:
        """The name for titles and tables; says so when the weights are random."""
        return f"{self.name} (random weights)" if self.weights == "random" else self.name


def in_channels(network: nn.Module) -> int:
    """Channels of the pictures that a network takes, read off its first convolution (3 without one)."""
    return next((module.in_channels for module in network.modules() if isinstance(module, nn.Conv2d)), 3)


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Draw a new network's weights from ``seed``, and leave torch's global random state as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        yield


def _per_channel(what: str, values: float | Sequence[float], channels: int) -> tuple[float, ...]:
    numbers = (float(values),) if isinstance(values, int | float) else tuple(float(v) for v in values)
    if len(numbers) == 1:
        return numbers * channels
    if len(numbers) != channels:
        raise FeatvizError(f"{what} has {len(numbers)} numbers, but the network takes {channels} channels")
    return numbers
