"""Patches on sheets: where a filter fires is marked where the patch does not say so itself."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from featviz.photos.patches import marked, patch_cell
from featviz.photos.table_rows import ExemplarRow

ROW = ExemplarRow(
    *("m", "given", "layer4", "layer4", 3, 1, "mean", 4.0, 9.0, 0, 1, "photo.jpg"),
    *(0, 0, 100, 100, "0003_01.png", "photo.jpg", 150, 100, 75, 25),
)


def changed(spot: tuple[float, float]) -> np.ndarray:
    """Where a ring changes a gray picture."""
    gray = Image.new("RGB", (256, 256), "#808080")
    return (np.array(marked(gray, spot)) != 128).any(2)


@pytest.mark.parametrize("spot", [(0.5, 0.5), (0.25, 0.75), (0.9, 0.1)])
def test_a_ring_is_around_its_place_and_leaves_it_free(spot: tuple[float, float]) -> None:
    rows, columns = changed(spot).nonzero()
    assert (columns.min() + columns.max() + 1) / 2 == pytest.approx(256 * spot[0], abs=1)
    assert (rows.min() + rows.max() + 1) / 2 == pytest.approx(256 * spot[1], abs=1)
    assert np.hypot(rows + 0.5 - 256 * spot[1], columns + 0.5 - 256 * spot[0]).min() > 7


@pytest.mark.parametrize("corner", [(0.0, 0.0), (1.0, 1.0), (0.0, 1.0)])
def test_a_ring_at_a_border_is_cut(corner: tuple[float, float]) -> None:
    assert changed(corner).any()


def test_a_large_patch_is_marked_and_a_small_one_is_not(tmp_path: Path) -> None:
    Image.new("RGB", (100, 100), "#808080").save(tmp_path / ROW.patch)
    small = replace(ROW, left=60, top=10, right=90, bottom=40)
    older = replace(ROW, center_x=-1, center_y=-1)
    assert ROW.spot == (0.755, 0.255)
    assert (small.spot, older.spot) == (None, None)
    tiles = [patch_cell(tmp_path, row).tile for row in (ROW, small, older)]
    assert [np.ptp(np.array(tile)) > 0 for tile in tiles] == [True, False, False]


def test_a_figure_has_three_digits(tmp_path: Path) -> None:
    assert patch_cell(tmp_path, ROW).label == "4.00"
