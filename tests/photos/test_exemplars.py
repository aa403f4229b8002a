"""Patches of photos: what the strongest position depends on."""

from pathlib import Path

import numpy as np
import pytest
from photo_folder import tiny
from PIL import Image

import featviz
from featviz.models.receptive_field import ReceptiveField, Span
from featviz.photos.exemplars import (
    ActivationStatistics,
    Exemplar,
    Exemplars,
    box_in_photo,
    center_in_photo,
)
from featviz.photos.files import fit_photo, read_photo

pytestmark = pytest.mark.usefixtures("photos_here")


def test_a_patch_is_what_the_strongest_position_depends_on() -> None:
    """Changing the photo outside the patch does not change the activation there; changing it inside does."""
    model = tiny()
    (one, *_) = featviz.exemplars(model, "photos", "second", [3], k=1).strongest
    photo = np.array(read_photo(one.photo))
    left, top, right, bottom = one.box
    outside = np.full_like(photo, 90)
    outside[top:bottom, left:right] = photo[top:bottom, left:right]
    inside = photo.copy()
    inside[top:bottom, left:right] = 90

    def there(pixels: np.ndarray) -> float:
        maps = featviz.activations(model, fit_photo(Image.fromarray(pixels), 48)[None], "second")["second"]
        return maps[0, 3, one.row, one.column].item()

    assert there(photo) == pytest.approx(one.max, abs=1e-4)
    assert there(outside) == pytest.approx(one.max, rel=0.15)  # the resampling looks a little past the border
    assert abs(there(inside) - one.max) > 0.3 * abs(one.max)
    assert one.patch().size == (right - left, bottom - top)
    np.testing.assert_array_equal(np.array(one.patch()), photo[top:bottom, left:right])


BOXES = {
    "as large": ((48, 48), (2, 3), (7, 3, 18, 14)),
    "clipped": ((48, 48), (0, 0), (0, 0, 6, 6)),
    "twice as large": ((96, 96), (2, 3), (14, 6, 36, 28)),
    "wide: the middle is shown": ((96, 48), (2, 3), (31, 3, 42, 14)),
    "high, clipped to what is shown": ((48, 96), (0, 0), (0, 24, 6, 30)),
    "smaller": ((24, 24), (2, 3), (3, 1, 9, 7)),
}


@pytest.mark.parametrize(("photo", "position", "box"), BOXES.values(), ids=BOXES)
def test_boxes(photo: tuple[int, int], position: tuple[int, int], box: tuple[int, ...]) -> None:
    span = Span(11, 4, -5)
    assert box_in_photo(ReceptiveField(span, span), position, 48, photo) == box


def test_a_layer_that_sees_everything_shows_the_square() -> None:
    assert box_in_photo(ReceptiveField(None, None), (0, 0), 48, (100, 60)) == (20, 0, 80, 60)


@pytest.mark.parametrize(
    ("photo", "position", "center"),
    [((64, 64), (1, 2), (40, 24)), ((64, 64), (3, 0), (8, 56)), ((200, 100), (0, 0), (63, 13))],
)
def test_the_middle_of_what_a_position_sees(
    photo: tuple[int, int], position: tuple[int, int], center: tuple[int, int]
) -> None:
    """Fields of 33 px, one every 16 px, the first around pixel 8: their middles, by hand, also in a larger photo."""
    span = Span(size=33, stride=16, start=-8)
    assert center_in_photo(ReceptiveField(span, span), position, 64, photo) == center


def test_what_sees_everything_has_no_middle() -> None:
    assert center_in_photo(ReceptiveField(None, Span(3, 1, 0)), (0, 0), 64, (64, 64)) is None


def test_a_notebook_shows_the_patches_and_a_terminal_one_line(tmp_path: Path) -> None:
    Image.new("RGB", (40, 40), "red").save(tmp_path / "a.png")
    both = [tmp_path / "a.png", tmp_path / "gone.png"]
    strongest = [Exemplar("layer4", 3, rank, 4.0, 9.0, 0, 0, file, (0, 0, 20, 20)) for rank, file in enumerate(both, 1)]
    found = Exemplars(strongest, [ActivationStatistics("layer4", 3, "mean", 7, 0.0, 1.0, [0.0] * 101)])
    assert repr(found) == "Exemplars(2 of 7 photos; 1 filter of layer4)"
    html = found._repr_html_()
    assert html.count("<img") == 1
    assert "missing" in html
    assert "4.00" in html
