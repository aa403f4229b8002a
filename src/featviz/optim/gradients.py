"""Changes of the gradient before the optimizer sees it, each picture by itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from featviz.errors import FeatvizError
from featviz.transforms.blur import gaussian_blurred

#: The gradient of the image's values, (N, ...), to another of that shape. Pictures never meet in one. One that has an
#: attribute ``of_pixels`` which is true can only be used where the values are pixels.
GradientChange = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class NormalizeGradient:
    """Divide by the mean magnitude, so that every step moves a picture as far (DeepDream, google/deepdream)."""

    def __call__(self, gradient: Tensor) -> Tensor:
        """Return the normalized gradient; one that is zero stays so."""
        return gradient / _for_each(gradient.flatten(1).abs().mean(1).clamp_min(_tiny(gradient)), gradient)


@dataclass(frozen=True)
class ClipGradient:
    """Shorten to an L2 norm of ``norm`` where it is longer (Pascanu et al. 2013, arXiv 1211.5063)."""

    norm: float = 1.0

    def __post_init__(self) -> None:
        """Refuse a norm that lets nothing through."""
        _check_above_zero("clipped.norm", self.norm)

    def __call__(self, gradient: Tensor) -> Tensor:
        """Return the clipped gradient."""
        norms = torch.linalg.vector_norm(gradient.flatten(1), dim=1).clamp_min(_tiny(gradient))
        return gradient * _for_each((self.norm / norms).clamp_max(1), gradient)


@dataclass(frozen=True)
class BlurGradient:
    """Gaussian blur of ``sigma`` px, cut off at 4 sigma, edges reflected: steps of low frequency. For pixels only."""

    sigma: float = 1.0
    of_pixels = True

    def __post_init__(self) -> None:
        """Refuse a blur of no width."""
        _check_above_zero("blur.sigma", self.sigma)

    def __call__(self, gradient: Tensor) -> Tensor:
        """Return the blurred gradient."""
        return gaussian_blurred(gradient, self.sigma)


def _check_above_zero(setting: str, value: float) -> None:
    if not value > 0:
        what, expected = f"gradients: {setting} is {value}", "a number above zero"
        raise FeatvizError(what, setting=f"gradients.{setting}", got=value, expected=expected)


def _for_each(numbers: Tensor, values: Tensor) -> Tensor:
    """Numbers (N,) in a shape that goes with values (N, ...)."""
    return numbers.view(-1, *[1] * (values.ndim - 1))


def _tiny(values: Tensor) -> float:
    return torch.finfo(values.dtype).tiny
