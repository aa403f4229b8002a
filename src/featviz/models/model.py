"""What featviz knows of a network: the module, its preprocessing, its stages."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import nn

from featviz.errors import FeatvizError

STAGES = ("layer1", "layer2", "layer3", "layer4")


@dataclass
class Model:
    """A network with its weights and its preprocessing.

    ``mean`` and ``std`` are those of the pictures it was trained on, for values in [0, 1], one number for each
    input channel; ``size`` is its input's side in px; ``weights`` says where its weights come from
    (``pretrained``, ``random``, ``given``, or a file's path); ``stages`` gives module names to the stage names
    ``layer1`` to ``layer4`` (strides 4, 8, 16, 32) and may be empty: they are then read off the network;
    ``classes`` are the names of its outputs, where they are known.
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
        self.network.eval().requires_grad_(False)
        self.mean = _per_channel("mean", self.mean, self.in_channels)
        self.std = _per_channel("std", self.std, self.in_channels)
        if min(self.std) <= 0:
            raise FeatvizError(f"model {self.name}: std must be above zero, but is {list(self.std)}")

    @property
    def in_channels(self) -> int:
        """Channels of the pictures that the network takes, read off its first convolution (3 without one)."""
        for module in self.network.modules():
            if isinstance(module, nn.Conv2d):
                return module.in_channels
        return 3

    @property
    def label(self) -> str:
        """The name for titles and tables; says so when the weights are random."""
        return f"{self.name} (random weights)" if self.weights == "random" else self.name


def _per_channel(what: str, values: float | tuple[float, ...], channels: int) -> tuple[float, ...]:
    numbers = (float(values),) if isinstance(values, int | float) else tuple(float(v) for v in values)
    if len(numbers) == 1:
        return numbers * channels
    if len(numbers) != channels:
        raise FeatvizError(f"{what} has {len(numbers)} numbers, but the network takes {channels} channels")
    return numbers
