"""A penalty on pictures that leave a photo."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from featviz.errors import FeatvizError, at_least
from featviz.photos.files import fit_photo, read_photo
from featviz.shapes import Shape


@dataclass(eq=False)
class PhotoDistance:
    """``weight`` times the mean squared difference to a photo, cut to the pictures' shape (serre-lab/Horama).

    Args:
        weight: of the penalty.
        path: the photo's file.
    """

    weight: float = 1.0
    path: str | None = None

    def __post_init__(self) -> None:
        """Read the photo; refuse a weight that drives pictures away."""
        at_least("regularizers.photo_distance.weight", self.weight, 0)
        if self.path is None:
            setting = "regularizers.photo_distance.path"
            raise FeatvizError(f"{setting} is missing: give it on the command line, {setting}=PHOTO", setting=setting)
        self._image = read_photo(self.path)
        self._photos: dict[tuple[Shape, int], Tensor] = {}

    def __call__(self, pictures: Tensor) -> Tensor:
        """Return penalties (N,) for pictures (N, C, H, W) in [0, 1]."""
        key = Shape(pictures.shape[2:]), pictures.shape[1]
        if key not in self._photos:
            self._photos = {key: fit_photo(self._image, *key)}
        return self.weight * (pictures - self._photos[key].to(pictures)).square().flatten(1).mean(1)
