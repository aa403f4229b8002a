"""The activations that an atlas keeps, against feature maps one photo at a time."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from photo_folder import NAMES, tiny
from refusals import refusal_of

from featviz.models.backbone import Backbone
from featviz.photos.atlas.collect import collect_points
from featviz.photos.atlas.points import PointCollector, Points, drawn_places
from featviz.photos.files import load_photo
from featviz.photos.saved_pass import SavedPass
from featviz.photos.stream import PhotoStream

pytestmark = pytest.mark.usefixtures("photos_here")

LAYERS = ("first", "second")


def collected(
    files: list[Path], per_photo: int = 1, seed: int = 0, saved: SavedPass | None = None
) -> dict[str, Points]:
    backbone = Backbone(tiny(), LAYERS)
    collector = PointCollector({layer: layer for layer in LAYERS}, per_photo, seed)
    stream = PhotoStream(files, 48, batch_size=16)
    return collect_points(backbone, collector, None, stream, stream, saved).points


def files_of(count: int = 70) -> list[Path]:
    return [Path("photos", name) for name in NAMES[:count]]


def test_vectors_are_those_of_the_feature_maps_at_their_positions() -> None:
    points, backbone = collected(files_of(20), per_photo=3), Backbone(tiny(), LAYERS)
    for layer in LAYERS:
        one = points[layer]
        assert len(one) == 60
        for at in range(0, 60, 7):
            with torch.no_grad():
                maps = backbone(load_photo(one.photos[at], 48)[None])[layer][0]
            expected = maps[:, one.rows[at], one.columns[at]].numpy()
            np.testing.assert_allclose(one.vectors[at], expected, atol=1e-5)
        assert one.classes.shape == (60, 0)


def test_neither_the_order_of_photos_nor_others_beside_them_matter() -> None:
    files = files_of(24)
    forward, backward = collected(files), collected(files[::-1])
    for layer in LAYERS:
        one, other = forward[layer], backward[layer]
        assert one.photos == other.photos
        assert one.vectors.tobytes() == other.vectors.tobytes()
        assert (one.rows.tolist(), one.columns.tolist()) == (other.rows.tolist(), other.columns.tolist())
    few = collected(files[:5])["second"]
    places = {photo: at for at, photo in enumerate(forward["second"].photos)}
    for at, photo in enumerate(few.photos):
        assert few.vectors[at].tobytes() == forward["second"].vectors[places[photo]].tobytes()


def test_a_photo_under_another_name_gives_the_same() -> None:
    shutil.copy("photos/003.png", "other_name.png")
    one, other = (collected([Path(name)])["second"] for name in ("photos/003.png", "other_name.png"))
    assert one.vectors.tobytes() == other.vectors.tobytes()


def test_another_seed_draws_other_positions() -> None:
    one, other = (collected(files_of(24), seed=seed)["second"] for seed in (0, 1))
    assert (one.rows.tolist(), one.columns.tolist()) != (other.rows.tolist(), other.columns.tolist())


@pytest.mark.parametrize(
    ("height", "width", "count", "free"), [(5, 7, 4, 15), (2, 9, 99, 14), (1, 1, 3, 1), (3, 3, 2, 1)]
)
def test_positions_are_different_ones_away_from_the_border(height: int, width: int, count: int, free: int) -> None:
    places = drawn_places(height, width, count, 3).tolist()
    assert len(places) == len({tuple(place) for place in places}) == min(count, free)
    for row, column in places:
        assert (0 < row < height - 1) if height > 2 else 0 <= row < height
        assert (0 < column < width - 1) if width > 2 else 0 <= column < width


def test_every_position_is_drawn_about_equally_often() -> None:
    drawn = [tuple(drawn_places(6, 6, 1, seed)[0].tolist()) for seed in range(1600)]
    counts = [drawn.count((row, column)) for row in range(1, 5) for column in range(1, 5)]
    assert sum(counts) == 1600
    assert min(counts) > 60


def test_a_pass_that_was_ended_goes_on_to_the_same_points() -> None:
    files, whole = files_of(40), collected(files_of(40))

    class Ended(SavedPass):
        def is_due(self) -> bool:
            return True

        def write(self, state: dict[str, object]) -> None:
            super().write(state)
            if state["done"] == 32:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        collected(files, saved=Ended(Path("points.pt"), {"of": 1}))
    saved = SavedPass(Path("points.pt"), {"of": 1})
    assert saved.load()
    for _ in range(2):  # the second time all of it is there
        again = collected(files, saved=saved)
        assert again["second"].photos == whole["second"].photos
        assert again["second"].vectors.tobytes() == whole["second"].vectors.tobytes()


def test_no_photo_that_can_be_used() -> None:
    Path("bad.jpg").write_text("no picture")
    assert refusal_of(lambda: collected([Path("bad.jpg")])).setting == "data"
