"""The grid over an atlas: cells with enough points, and what is strongest in them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from featviz.errors import FeatvizError
from featviz.photos.atlas.points import Points
from featviz.results.atlas_rows import CLASSES, UNITS

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Cell:
    """A square of a grid with enough points in it.

    Attributes:
        level: 0 is the coarsest.
        grid: cells along a side of its level.
        column: from the left, and ``row`` from the top, both from 0.
        points: the numbers of its points, those nearest to the mean first (by the cosine).
        mean: the mean of their vectors, (filters,).
        units: the filters that stand out, with how many standard deviations the mean is above that of all points.
        classes: those that the points' photos most likely show, with the mean of their probabilities.
    """

    level: int
    grid: int
    column: int
    row: int
    points: tuple[int, ...]
    mean: Array
    units: tuple[tuple[int, float], ...]
    classes: tuple[tuple[int, float], ...]


def grids_of(points: int, grid: int, levels: int) -> list[int]:
    """Cells along a side of each level, doubled from one to the next, as far as there are as many points as cells.

    Raises:
        FeatvizError: there are fewer points than cells even of the first.
    """
    grids = [grid * 2**level for level in range(levels)]
    if points < grid**2:
        what = f"{points} activations are fewer than the {grid**2} cells of atlas.grid={grid}"
        smaller = int(points**0.5)
        expected = f"more photos, a larger atlas.per_photo, or atlas.grid={smaller}"
        raise FeatvizError(what, setting="atlas.grid", got=grid, expected=expected)
    return [side for side in grids if side**2 <= points]


def find_cells(points: Points, places: Array, grids: Sequence[int], min_points: int) -> list[Cell]:
    """The cells of all levels, row by row, that have ``min_points`` or more of the points at ``places`` (N, 2).

    A cell whose vectors cancel out has no direction, and is left out.
    """
    vectors = points.vectors
    mean, std = vectors.mean(0, dtype=np.float64), vectors.std(0, dtype=np.float64)
    return [
        _cell(points, level, grid, divmod(number, grid), members, (mean, std))
        for level, grid in enumerate(grids)
        for number, members in _members(places, grid)
        if len(members) >= min_points and vectors[members].mean(0, dtype=np.float64).any()
    ]


def _members(places: Array, grid: int) -> Iterator[tuple[int, Array]]:
    """The points of each square that has some, by its number."""
    columns, rows = np.minimum((places * grid).astype(np.int64), grid - 1).T
    numbers = rows * grid + columns
    order = numbers.argsort(kind="stable")
    squares, first = np.unique(numbers[order], return_index=True)
    yield from zip(squares.tolist(), np.split(order, first[1:]), strict=True)


def _cell(
    points: Points, level: int, grid: int, at: tuple[int, int], members: Array, overall: tuple[Array, Array]
) -> Cell:
    row, column = at
    vectors = points.vectors[members].astype(np.float64)
    mean = vectors.mean(0)
    nearest = (-_cosines(vectors, mean)).argsort(kind="stable")
    return Cell(
        level=level,
        grid=grid,
        column=column,
        row=row,
        points=tuple(members[nearest].tolist()),
        mean=mean.astype(np.float32),
        units=_units(mean, *overall),
        classes=_classes(points.classes[members], points.shares[members]),
    )


def _cosines(vectors: Array, mean: Array) -> Array:
    norms = np.linalg.norm(vectors, axis=1) * np.linalg.norm(mean)
    cosines: Array = vectors @ mean / np.where(norms > 0, norms, 1.0)
    return cosines


def _units(mean: Array, center: Array, std: Array) -> tuple[tuple[int, float], ...]:
    above = np.where(std > 0, (mean - center) / np.where(std > 0, std, 1.0), 0.0)
    order = (-above).argsort(kind="stable")[:UNITS]
    return tuple((int(number), float(above[number])) for number in order if above[number] > 0)


def _classes(numbers: Array, shares: Array) -> tuple[tuple[int, float], ...]:
    """The mean probabilities of classes, where those that are not among a photo's most likely ones count as zero."""
    if not numbers.size:
        return ()
    known, places = np.unique(numbers, return_inverse=True)
    means = np.bincount(places.ravel(), shares.ravel().astype(np.float64)) / len(numbers)
    order = (-means).argsort(kind="stable")[:CLASSES]
    return tuple((int(known[at]), float(means[at])) for at in order)
