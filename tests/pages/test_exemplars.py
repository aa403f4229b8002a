"""Where in a photo a unit fires, and which part is shown."""

from pathlib import Path

import pytest
from run_folders import (
    details,
    exemplar_row,
    write_exemplars,
    write_picture,
    write_table,
)

from featviz.pages import write_site


def test_the_patch_is_marked_in_the_photo_that_is_shown(tmp_path: Path) -> None:
    """Photos are saved smaller than they were: here 48 px wide of 96."""
    run = write_exemplars(tmp_path)
    write_site([run], run)
    assert details(run, 0)["exemplars"][0]["box"] == [2, 4, 6, 12]


@pytest.mark.parametrize(
    ("center", "right", "bottom", "spot", "patch_spot"),
    [
        ((6, 20), 12, 24, [3, 10], None),  # a small patch says so itself
        ((14, 20), 44, 48, [7, 10], [0.2625, 0.3125]),
        ((14, 20), 84, 48, [7, 10], [0.131, 0.406]),  # 80 x 40 px, in the middle of a square
        ((-1, -1), 44, 48, None, None),
        ((200, 20), 44, 48, None, None),  # beside the photo
    ],
)
def test_where_the_unit_fires(  # type: ignore[no-untyped-def]
    center: tuple[int, int], right: int, bottom: int, spot, patch_spot, tmp_path: Path
) -> None:
    run = write_exemplars(tmp_path)
    places = {"center_x": center[0], "center_y": center[1], "right": right, "bottom": bottom}
    write_table(run / "exemplars.csv", [exemplar_row(0, 1, **places)])
    write_site([run], run)
    shown = details(run, 0)["exemplars"][0]
    assert shown["spot"] == spot
    assert shown["patch_spot"] == (patch_spot and pytest.approx(patch_spot, abs=0.001))


@pytest.mark.parametrize(("side", "box"), [(48, [4, 8, 12, 24]), (512, None)])
def test_older_tables_tell_the_box_where_the_photo_was_not_shrunk(
    side: int, box: list[int] | None, tmp_path: Path
) -> None:
    run = write_exemplars(tmp_path, units=(0,), k=1)
    row = exemplar_row(0, 1)
    del row["width"], row["height"]
    write_table(run / "exemplars.csv", [row])
    write_picture(run / row["image"], size=(side, 24))
    write_site([run], run)
    assert details(run, 0)["exemplars"][0]["box"] == box
