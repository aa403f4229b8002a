"""Squares cut out of the photos that come with scikit-image, scikit-learn and matplotlib: photos for scripts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import matplotlib
import skimage.data
import sklearn.datasets
from PIL import Image

PHOTO_FOLDERS = (
    (Path(skimage.data.__file__).parent, "astronaut.png chelsea.png coffee.png motorcycle_left.png rocket.jpg"),
    (Path(skimage.data.__file__).parent, "hubble_deep_field.jpg retina.jpg grass.png gravel.png brick.png coins.png"),
    (Path(sklearn.datasets.__file__).parent / "images", "china.jpg flower.jpg"),
    (Path(matplotlib.get_data_path()) / "sample_data", "grace_hopper.jpg"),
)
SIDE = 256  # px, of a square that is cut out


def write_photos(folder: Path) -> None:
    """Write squares of all photos at two scales, half over each other."""
    folder.mkdir(parents=True)
    for source, names in PHOTO_FOLDERS:
        for name in names.split():
            with Image.open(source / name) as photo:
                for number, square in enumerate(squares(photo.convert("RGB"))):
                    square.save(folder / f"{Path(name).stem}_{number:02d}.jpg", quality=92)


def squares(photo: Image.Image) -> Iterator[Image.Image]:
    """The largest squares of a photo, and those of half their side."""
    for share in (1, 0.5):
        side = int(min(photo.size) * share)
        for top in range(0, photo.height - side + 1, max(1, side // 2)):
            for left in range(0, photo.width - side + 1, max(1, side // 2)):
                yield photo.crop((left, top, left + side, top + side)).resize((SIDE, SIDE))
