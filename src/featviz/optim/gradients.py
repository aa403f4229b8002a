"""Changes of the gradient before the optimizer sees it, each picture by itself."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from featviz.errors import above_zero, at_least, within
from featviz.models.frames import by_frame
from featviz.models.residual_gradient import WeightedBranches
from featviz.transforms.blur import gaussian_blurred

#: The gradient of the image's values, (N, ...), to another of that shape. Pictures never meet in one. One that has an
#: attribute ``of_pixels`` which is true can only be used where the values are pixels; one whose ``needs_values`` is
#: true is called with the values, too. One whose ``of_pass`` is true changes gradients within the network: it is called
#: with the layer's stride in px (None: no layer has positions), and returns the context of a step's pass, or None.
GradientChange = Callable[..., Any]


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
        above_zero("gradients.clipped.norm", self.norm)

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
        above_zero("gradients.blur.sigma", self.sigma)

    def __call__(self, gradient: Tensor) -> Tensor:
        """Return the blurred gradient."""
        return gaussian_blurred(gradient, self.sigma)


@dataclass(frozen=True)
class BlurInputEachStep:
    """Add ``strength`` times the values minus their blur, so that each step blurs them a little. For pixels only.

    As ``blur_input_each_step`` in tensorflow/lucid, after Nguyen et al. 2015 (arXiv 1412.1897): with plain gradient
    ascent of rate r, values become ``(1 - k) * values + k * blur`` with k = r * strength. The blur is a mean over 3 x 3
    px in which the center counts twice, and pixels outside do not.
    """

    strength: float = 0.1
    of_pixels = True
    needs_values = True

    def __post_init__(self) -> None:
        """Refuse what sharpens."""
        above_zero("gradients.blur_input_each_step.strength", self.strength)

    def __call__(self, gradient: Tensor, values: Tensor) -> Tensor:
        """Return the gradient with what blurs the values."""
        pixels = values.detach()
        return gradient + self.strength * (pixels - by_frame(_small_blur, pixels))


@dataclass(frozen=True)
class ResidualGradient:
    """Hand back ``share`` of the gradient through the branches of residual blocks, and all that skips them.

    Such pictures please second networks more, as adversarial examples by such gradients fool them more often (Wu et al.
    2020, arXiv 2002.05990). It is done for layers with a position at each ``from_stride`` px or more, and for those
    without positions in networks that have such layers.
    """

    share: float = 0.5
    from_stride: int = 1
    of_pass = True

    def __post_init__(self) -> None:
        """Refuse what is no share, or no stride."""
        within("gradients.residual.share", self.share, 0, 1)
        at_least("gradients.residual.from_stride", self.from_stride, 1)

    def __call__(self, stride: int | None) -> AbstractContextManager[Any] | None:
        """Return the context of a pass up to a layer of this stride; None where gradients stay as they are."""
        deep = (stride or 1) >= self.from_stride
        return WeightedBranches(self.share) if deep and self.share < 1 else None


def _small_blur(pixels: Tensor) -> Tensor:
    """The mean of pixels (N, C, H, W) over 3 x 3 px, the center twice, of those that are inside."""
    present = torch.ones_like(pixels[:1, :1])
    sums, counts = (9 * F.avg_pool2d(each, 3, 1, 1) + each for each in (pixels, present))
    return sums / counts


def _for_each(numbers: Tensor, values: Tensor) -> Tensor:
    """Numbers (N,) in a shape that goes with values (N, ...)."""
    return numbers.view(-1, *[1] * (values.ndim - 1))


def _tiny(values: Tensor) -> float:
    return torch.finfo(values.dtype).tiny
