"""A blur of films over time, as most exciting films have it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F
from typing_extensions import override

from featviz.errors import FeatvizError, above_zero, at_least, one_of
from featviz.optim.projections import EVERY, SPACES, Projection
from featviz.transforms.blur import gaussian


@dataclass(frozen=True)
class TimeBlur(Projection):
    """Gaussian blur of films over time (open-retina): what changes fast from frame to frame is held back.

    Pictures stay as they are.

    Args:
        sigma: frames.
        kernel: so many frames, an odd number; before the first frame and after the last one all is zero.
        space: where that zero is: ``model``, the data's mean, or ``picture``, black.
        every: so many steps.
    """

    sigma: float = 0.5
    kernel: int = 5
    space: str = "model"
    every: int = 1

    def __post_init__(self) -> None:
        """Refuse a blur of no width, or one that moves films by half a frame."""
        at_least("time_blur.every", self.every, 1, EVERY)
        one_of("time_blur.space", self.space, SPACES)
        above_zero("time_blur.sigma", self.sigma)
        if self.kernel < 1 or self.kernel % 2 == 0:
            raise FeatvizError(setting="time_blur.kernel", got=self.kernel, expected="an odd number of frames")

    @override
    def __call__(self, pictures: Tensor, gradient: Tensor | None = None) -> Tensor:
        if pictures.ndim < 5:
            return pictures  # they have no time
        weights = gaussian(torch.tensor(self.sigma), self.kernel).to(pictures).view(1, 1, -1, 1)
        flat = pictures.reshape(-1, 1, pictures.shape[2], pictures.shape[3] * pictures.shape[4])
        return F.conv2d(flat, weights, padding=(self.kernel // 2, 0)).view(pictures.shape)
