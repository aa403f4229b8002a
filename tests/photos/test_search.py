"""The photos that filters answer to most, against all feature maps at once."""

from pathlib import Path

import numpy as np
import pytest
import torch
from photo_folder import NAMES, tiny
from torch import Tensor

import featviz
from featviz.photos.files import load_photo

pytestmark = pytest.mark.usefixtures("photos_here")


def by_hand(model: featviz.Model, layer: str, files: list[Path]) -> Tensor:
    """Feature maps (photos, filters, h, w), one photo after the other, by a hook."""
    caught: list[Tensor] = []
    handle = model.network.get_submodule(layer).register_forward_hook(lambda _m, _i, out: caught.append(out.clone()))
    with torch.no_grad():
        for file in files:
            model.network((load_photo(file, 48) - 0.45)[None] / 0.25)
    handle.remove()
    return torch.cat(caught)


@pytest.mark.parametrize("by", ["mean", "max"])
def test_the_strongest_and_the_spread_are_those_of_all_feature_maps_at_once(by: str) -> None:
    model, files = tiny(), [Path("photos", name) for name in NAMES]
    found = featviz.exemplars(model, "photos", "second", "all", k=5, by=by)
    maps = by_hand(model, "second", files)
    figures = {"mean": maps.mean((2, 3)).numpy(), "max": maps.amax((2, 3)).numpy()}
    for number in range(20):
        least = [one.photo.name for one in found.weakest if one.filter == number]
        draws = np.arange(70) * (5**0.5 - 1) / 2 % 1  # of two equal ones
        assert least == [NAMES[at] for at in np.lexsort((draws, figures[by][:, number].round(4)))[:5]]
        mine = [one for one in found.strongest if one.filter == number]
        wanted = np.argsort(-figures[by][:, number].round(4), kind="stable")[:5]
        assert [one.photo.name for one in mine] == [NAMES[at] for at in wanted]
        assert [one.rank for one in mine] == [1, 2, 3, 4, 5]
        for one, at in zip(mine, wanted, strict=True):
            assert (one.row, one.column) == divmod(int(maps[at, number].argmax()), maps.shape[3])
            assert one.mean == pytest.approx(figures["mean"][at, number], abs=1e-4)
            assert one.max == pytest.approx(figures["max"][at, number], abs=1e-4)
    for spread_ in found.statistics:
        values = figures[spread_.figure][:, spread_.filter]
        assert spread_.photos == 70
        np.testing.assert_allclose((spread_.mean, spread_.std), (values.mean(), values.std()), atol=1e-4)
        wanted = np.quantile(values, np.arange(101) / 100, method="inverted_cdf")
        np.testing.assert_allclose(spread_.percentiles, wanted, atol=1e-4)


def test_of_equal_photos_the_earlier_file_wins() -> None:
    found = featviz.exemplars(tiny(), "photos", "second", "all", k=70)
    for number in range(20):
        mine = [one for one in found.strongest if one.filter == number]
        first, second = ([one.photo.name for one in mine].index(name) for name in ("003.png", "065.png"))
        assert second == first + 1
        assert mine[first].mean == mine[second].mean  # bit by bit, in batches apart


def test_photos_that_leave_a_filter_cold_are_spread_over_all() -> None:
    """Otherwise they would be those of the first folder, whatever it shows."""
    model = tiny()
    torch.nn.init.zeros_(model.network.second.weight)
    found = featviz.exemplars(model, "photos", "second", [2], k=7)
    numbers = sorted(NAMES.index(one.photo.name) for one in found.weakest)
    assert max(np.diff([0, *numbers, 70])) <= 20
    assert [NAMES.index(one.photo.name) for one in found.strongest] == list(range(7))


def test_more_asked_for_than_there_are() -> None:
    found = featviz.exemplars(tiny(), ["photos/003.png", "photos/004.png"], "second", [2], k=9)
    assert [one.rank for one in found.strongest] == [one.rank for one in found.weakest] == [1, 2]
