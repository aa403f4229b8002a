"""How a picture becomes an image: which channels are shown together, and what is mid-gray where they are no colors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from PIL import Image
from torch import Tensor

from featviz.results.film import strip
from featviz.results.tensors import image_of_channels


@dataclass(frozen=True)
class Display:
    """Makes images of pictures (C, H, W), and of films (C, T, H, W).

    Args:
        groups: numbers of channels that are shown together, a panel for each group: three of them as red, green and
            blue, others as gray (the first). None shows the first three, or of fewer the first.
        centers: for each channel, the value that is shown as mid-gray, of values that are no colors: black and white
            are then as far from it as the picture's farthest value. None for values from 0, black, to 1, white.
    """

    groups: tuple[tuple[int, ...], ...] | None = None
    centers: tuple[float, ...] | None = None

    def image(self, picture: Tensor) -> Image.Image:
        """One image: the panels of a picture beside each other, the frames of a film as a strip."""
        frames = self.frames(picture)
        return frames[0] if picture.ndim < 4 else strip(frames)

    def frames(self, picture: Tensor) -> list[Image.Image]:
        """An image of each frame; of a picture, the only one."""
        shown = self._in_unit(picture)
        frames = shown[:, None] if shown.ndim < 4 else shown
        return [self._panels(frame) for frame in frames.unbind(1)]

    def is_exact(self, picture: Tensor) -> bool:
        """Whether the image holds all that a picture of 256 levels is."""
        return self == COLORS and picture.shape[0] in (1, 3)

    def _in_unit(self, picture: Tensor) -> Tensor:
        if self.centers is None:
            return picture
        centers = torch.tensor(self.centers).to(picture).view(-1, *[1] * (picture.ndim - 1))
        apart = picture - centers
        return 0.5 + apart / (2 * apart.abs().nan_to_num(0, 0, 0).amax().clamp_min(1e-12))

    def _panels(self, frame: Tensor) -> Image.Image:
        if self.groups is None:
            return image_of_channels(frame)
        return _beside([image_of_channels(frame[list(group)]) for group in self.groups])


COLORS = Display()


def _beside(panels: Sequence[Image.Image]) -> Image.Image:
    if len(panels) == 1:
        return panels[0]
    mode = "RGB" if any(panel.mode == "RGB" for panel in panels) else "L"
    width, height = panels[0].size
    sheet = Image.new(mode, (len(panels) * width, height))
    for at, panel in enumerate(panels):
        sheet.paste(panel.convert(mode), (at * width, 0))
    return sheet
