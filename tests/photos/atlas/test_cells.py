"""The cells of an atlas, against NumPy on all points at once."""

from pathlib import Path

import numpy as np
import pytest
from refusals import refusal_of

from featviz.photos.atlas.cells import find_cells, grids_of
from featviz.photos.atlas.points import Points
from featviz.results.atlas_rows import CLASSES, UNITS

RNG = np.random.default_rng(1)
COUNT = 300
PLACES = RNG.uniform(0, 1, (COUNT, 2)) ** 2
PLACES[:3] = 1.0, 0.0  # a corner


def made_up(vectors: np.ndarray, classes: int = 10) -> Points:
    shares = np.sort(RNG.dirichlet(np.ones(classes), len(vectors))[:, :5], axis=1)[:, ::-1]
    numbers = np.stack([RNG.permutation(classes)[:5] for _ in vectors])
    photos, zeros = [Path(f"{at}.png") for at in range(len(vectors))], np.zeros(len(vectors), int)
    return Points(photos, zeros, zeros, vectors, numbers, shares)


POINTS = made_up(RNG.normal(0.5, 1, (COUNT, 12)).astype(np.float32))


@pytest.mark.parametrize("least", [1, 4])
def test_cells_are_the_means_of_their_points(least: int) -> None:
    cells = find_cells(POINTS, PLACES, [3, 6], least)
    for level, grid in enumerate((3, 6)):
        squares = np.minimum(np.floor(PLACES * grid), grid - 1)
        expected = []
        for row in range(grid):
            for column in range(grid):
                members = [at for at in range(COUNT) if squares[at].tolist() == [column, row]]
                if len(members) >= least:
                    expected.append((column, row, members))
        mine = [cell for cell in cells if cell.level == level]
        assert [(cell.column, cell.row, sorted(cell.points)) for cell in mine] == expected
        for cell in mine:
            assert cell.grid == grid
            np.testing.assert_allclose(cell.mean, POINTS.vectors[list(cell.points)].mean(0), rtol=1e-5, atol=1e-6)


def test_the_points_nearest_to_the_mean_come_first() -> None:
    for cell in find_cells(POINTS, PLACES, [4], 3):
        vectors = POINTS.vectors[list(cell.points)]
        cosines = vectors @ cell.mean / np.linalg.norm(vectors, axis=1)
        assert (np.diff(cosines) <= 1e-6).all()


def test_units_are_told_in_standard_deviations_above_the_mean_of_all() -> None:
    vectors = POINTS.vectors.astype(np.float64)
    for cell in find_cells(POINTS, PLACES, [4], 3):
        above = (vectors[list(cell.points)].mean(0) - vectors.mean(0)) / vectors.std(0)
        expected = [number for number in np.argsort(-above)[:UNITS] if above[number] > 0]
        assert [unit for unit, _ in cell.units] == expected
        np.testing.assert_allclose([value for _, value in cell.units], above[expected], rtol=1e-6)


def test_a_unit_that_never_varies_is_none_of_them() -> None:
    vectors = POINTS.vectors.copy()
    vectors[:, 2] = 7
    cells = find_cells(made_up(vectors), PLACES, [2], 1)
    assert cells
    assert all(unit != 2 for cell in cells for unit, _ in cell.units)


def test_classes_are_the_mean_probabilities_of_the_photos() -> None:
    for cell in find_cells(POINTS, PLACES, [4], 3):
        table = np.zeros((len(cell.points), 10))
        for line, at in zip(table, cell.points, strict=True):
            line[POINTS.classes[at]] = POINTS.shares[at]
        expected = np.argsort(-table.mean(0), kind="stable")[:CLASSES]
        assert [number for number, _ in cell.classes] == expected.tolist()
        np.testing.assert_allclose([share for _, share in cell.classes], table.mean(0)[expected], rtol=1e-6)


def test_a_cell_without_a_direction_is_left_out() -> None:
    points = made_up(np.array([[1, 0], [-1, 0], [0, 2]], np.float32))
    cells = find_cells(points, np.array([[0.1, 0.1], [0.2, 0.2], [0.9, 0.9]]), [2], 1)
    assert [(cell.column, cell.row) for cell in cells] == [(1, 1)]


def test_levels_end_where_there_are_more_cells_than_points() -> None:
    assert grids_of(64, 8, 3) == [8]
    assert grids_of(1023, 8, 3) == [8, 16]
    assert grids_of(10**6, 8, 3) == [8, 16, 32]
    error = refusal_of(lambda: grids_of(30, 8, 3))
    assert (error.setting, error.got) == ("atlas.grid", 8)
    assert error.expected.endswith("atlas.grid=5")
    assert grids_of(30, 5, 3) == [5]
