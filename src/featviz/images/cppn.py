"""Pictures as networks that compute each pixel's color from its coordinates."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from typing_extensions import override

from featviz.errors import at_least
from featviz.images.base import Image
from featviz.shapes import Shape, Size

REACH = 3**0.5  # of the coordinates, whose standard deviation then is 1
SCALES = (0.67, 0.6)  # root mean squares of atan(x) and atan(x)^2 for standard normal x
BIAS = 0.1  # standard deviation of the biases at the start


class CppnImage(Image):
    """Compositional pattern producing networks (Stanley 2007), one for each picture, as tensorflow/lucid has them.

    Coordinates from -sqrt(3) to sqrt(3), of a square's sides, go through ``depth`` layers of ``width`` units; a unit's
    value x becomes two: atan(x) / 0.67 and atan(x)^2 / 0.6. A last layer and a sigmoid give the color. ``values``
    (N, total) are weights and biases, layer by layer; the last layer's weights start at zero, so that a picture starts
    as one color.

    Upscaling computes more pixels of the same picture. Memory: about ``6 * depth * width`` numbers a pixel and picture.
    """

    takes_films = True

    def __init__(
        self,
        size: Size,
        generators: Sequence[torch.Generator],
        mean: Sequence[float],
        std: Sequence[float],
        width: int = 24,
        depth: int = 8,
    ) -> None:
        super().__init__(size, len(mean))
        at_least("image.width", width, 1)
        at_least("image.depth", depth, 1)
        inputs = [len(self.shape), *[2 * width] * depth]
        self.layers = list(zip(inputs, [*[width] * depth, self.channels], strict=True))
        self.values = nn.Parameter(torch.stack([self._start(generator) for generator in generators]))

    @override
    def forward(self) -> Tensor:
        *hidden, last = self._split(self.values)
        units = coordinates(self.shape).to(self.values).expand(len(self.values), -1, -1)
        for weights, biases in hidden:
            units = composite(torch.baddbmm(biases, units, weights))
        pixels = torch.baddbmm(last[1], units, last[0]).sigmoid()
        return pixels.transpose(1, 2).reshape(len(pixels), self.channels, *self.shape)

    @override
    def resampled(self, values: Tensor, size: Size) -> Tensor:
        return values.clone()

    def _start(self, generator: torch.Generator) -> Tensor:
        parts = []
        for inputs, outputs in self.layers:
            parts.append(torch.randn(inputs * outputs, generator=generator) / math.sqrt(inputs))
            parts.append(BIAS * torch.randn(outputs, generator=generator))
        parts[-2].zero_()
        return torch.cat(parts)

    def _split(self, values: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Weights (N, inputs, outputs) and biases (N, 1, outputs) of each layer."""
        parts, used = [], 0
        for inputs, outputs in self.layers:
            weights = values[:, used : used + inputs * outputs].view(-1, inputs, outputs)
            biases = values[:, None, used + inputs * outputs : used + (inputs + 1) * outputs]
            parts.append((weights, biases))
            used += (inputs + 1) * outputs
        return parts


def coordinates(size: Size) -> Tensor:
    """The coordinates (pixels, 2), x and y, of pixels row by row; of a film (pixels, 3), also of its frames.

    A frame that is no square has the coordinates of one with as many pixels.
    """
    shape = Shape.of(size)
    reaches = [REACH] * (len(shape) - 2) + [REACH * (side / shape.side) for side in shape.frame]
    axes = [torch.linspace(-reach, reach, side) for reach, side in zip(reaches, shape, strict=True)]
    return torch.stack([each.flatten() for each in reversed(torch.meshgrid(*axes, indexing="ij"))], 1)


def composite(units: Tensor) -> Tensor:
    """Two values for each unit on the last axis: atan(x) / 0.67, then atan(x)^2 / 0.6."""
    bent = units.atan()
    return torch.cat([bent / SCALES[0], bent**2 / SCALES[1]], -1)
