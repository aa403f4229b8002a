"""Pictures of a fixed norm, as most exciting inputs have it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import pi

import torch
from torch import Tensor
from typing_extensions import override

from featviz.errors import FeatvizError, above_zero, at_least, one_of
from featviz.optim.projections import EVERY, SPACES, Projection, for_channels

OWN = "own"
ABOUT = "a number, a list of one for each channel, or own: each picture's own mean"


@dataclass(frozen=True)
class Norm(Projection):
    """Scale each picture's difference from ``about`` to a norm, all channels together.

    As most exciting inputs have it (Walker et al. 2019, sinzlab/mei; open-retina): a fixed contrast, or a fixed energy.

    Args:
        rho: the norm; null takes that of data of mean 0 and deviation 1, normally distributed.
        p: 2 is the L2 norm, the root of the sum of squares; 1 is L1, the sum of magnitudes.
        about: a number, one for each channel, or ``own``, the mean of each of the picture's channels, which stays.
        at_most: pictures whose norm is smaller stay as they are.
        space: where the norm is taken: ``model``, what the network sees, or ``picture``, in the unit of [0, 1].
        every: so many steps.
    """

    rho: float | None = None
    p: int = 2
    about: float | Sequence[float] | str = 0.0
    at_most: bool = False
    space: str = "model"
    every: int = 1

    def __post_init__(self) -> None:
        """Refuse what is no norm."""
        at_least("norm.every", self.every, 1, EVERY)
        one_of("norm.space", self.space, SPACES)
        if self.rho is not None:
            above_zero("norm.rho", self.rho, "a number above zero, or null")
        if self.p not in (1, 2):
            raise FeatvizError(setting="norm.p", got=self.p, expected="1 or 2")
        if isinstance(self.about, int | float):
            return
        if self.about != OWN and (isinstance(self.about, str) or len(self.about) == 0):
            raise FeatvizError(setting="norm.about", got=self.about, expected=ABOUT)
        for number in [] if self.about == OWN else self.about:
            if not isinstance(number, int | float):
                raise FeatvizError(setting="norm.about", got=self.about, expected=ABOUT)

    @override
    def __call__(self, pictures: Tensor, gradient: Tensor | None = None) -> Tensor:
        """Return the scaled pictures; one that differs nowhere from ``about`` stays so."""
        if self.about == 0:
            return pictures * self._factors(pictures)
        if isinstance(self.about, str):
            center = pictures.flatten(2).mean(2).view(*pictures.shape[:2], *[1] * (pictures.ndim - 2))
        else:
            center = for_channels(self.about, pictures, "norm.about")
        apart = pictures - center
        return apart * self._factors(apart) + center

    def _factors(self, apart: Tensor) -> Tensor:
        """What each picture's difference from ``about`` is multiplied by."""
        norms = torch.linalg.vector_norm(apart.flatten(1), self.p, dim=1).clamp_min(torch.finfo(apart.dtype).tiny)
        factors = self._wanted(apart[0].numel()) / norms
        factors = factors.clamp_max(1) if self.at_most else factors
        return factors.view(-1, *[1] * (apart.ndim - 1))

    def _wanted(self, count: int) -> float:
        """The norm that is asked for; or that of so many standard normal numbers."""
        if self.rho is not None:
            return self.rho
        return float(count**0.5) if self.p == 2 else count * (2 / pi) ** 0.5
