"""The tables of an atlas: their names, and the lines that are written and read alike."""

from __future__ import annotations

from dataclasses import dataclass

CELLS, PHOTOS, POINTS = "atlas.csv", "atlas_photos.csv", "points.csv"
UNITS, CLASSES = 5, 3  # columns of a cell's strongest ones


@dataclass(frozen=True)
class CellPhotoRow:
    """A line of atlas_photos.csv: a photo of a cell, nearest to its mean first, and its file in the run's folder.

    ``filter`` is the number of the cell's picture.
    """

    layer: str
    module: str
    filter: int
    rank: int
    photo: str
    image: str
