"""How the pixels of a picture are initialized: what ``PixelImage`` takes as ``init``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from featviz.errors import at_least, in_order

#: Called with a picture's shape (C, H, W), or a film's (C, T, H, W), its generator and the mean of the network's data
#: (C values): the picture of that shape, in the unit of [0, 1]. One whose attribute ``needs_std`` is true gets the
#: data's std, too.
Init = Callable[..., Tensor]


@dataclass(frozen=True)
class Uniform:
    """Each value drawn evenly between ``low`` and ``high``."""

    low: float = 0.0
    high: float = 1.0

    def __post_init__(self) -> None:
        """Refuse an empty range."""
        in_order("image.init.low", self.low, "image.init.high", self.high)

    def __call__(self, shape: tuple[int, ...], generator: torch.Generator, mean: Sequence[float] = ()) -> Tensor:
        """Draw one picture of ``shape``."""
        return self.low + (self.high - self.low) * torch.rand(shape, generator=generator)


@dataclass(frozen=True)
class Normal:
    """Each value drawn from a normal distribution."""

    mean: float = 0.5
    std: float = 0.01

    def __call__(self, shape: tuple[int, ...], generator: torch.Generator, mean: Sequence[float] = ()) -> Tensor:
        """Draw one picture of ``shape``."""
        return self.mean + self.std * torch.randn(shape, generator=generator)


@dataclass(frozen=True)
class ModelNormal:
    """Normal noise of ``std`` around zero in what the network sees, after its mean and std."""

    std: float = 1.0

    needs_std = True

    def __post_init__(self) -> None:
        """Refuse a negative width."""
        at_least("image.init.std", self.std, 0)

    def __call__(
        self, shape: tuple[int, ...], generator: torch.Generator, mean: Sequence[float], std: Sequence[float]
    ) -> Tensor:
        """Draw one picture of ``shape``."""
        center, width = (_for_channels(values, shape) for values in (mean, std))
        return center + width * self.std * torch.randn(shape, generator=generator)


@dataclass(frozen=True)
class DataMean:
    """The mean color of the network's data, and normal noise of ``std`` around it.

    What the network sees of it, after its mean and std, is zero: the start of Simonyan et al. 2014 (arXiv 1312.6034),
    and with ``std`` 10/255 that of Yosinski et al. 2015 (deep-visualization-toolbox).
    """

    std: float = 0.0

    def __post_init__(self) -> None:
        """Refuse a negative width."""
        at_least("image.init.std", self.std, 0)

    def __call__(self, shape: tuple[int, ...], generator: torch.Generator, mean: Sequence[float]) -> Tensor:
        """Draw one picture of ``shape``."""
        return _for_channels(mean, shape) + self.std * torch.randn(shape, generator=generator)


def _for_channels(numbers: Sequence[float], shape: tuple[int, ...]) -> Tensor:
    """A number for each channel in a shape that goes with a picture of ``shape``."""
    return torch.tensor(numbers).view(-1, *[1] * (len(shape) - 1))
