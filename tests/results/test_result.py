"""Results: what they say of themselves, their grids, and the files that they write."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import torch
from run_folders import picture_row

from featviz.errors import FeatvizError
from featviz.results.files import png
from featviz.results.folder import RunFolder, read_rows
from featviz.results.result import MOST_SHOWN, Result
from featviz.results.rows import Row


def row(number: int, status: str = "ok") -> Row:
    shown = {"model": "m<i>", "layer": "layer4", "module": "layer4", "recipe": "clear"}
    return cast(Row, picture_row(number, status=status, activation=4.0, image="", **shown))


def result(count: int = 3, channels: int = 3) -> Result:
    images = torch.rand(count, channels, 8, 8, generator=torch.Generator().manual_seed(0))
    return Result(images, [row(number) for number in range(count)])


def test_a_repr_is_one_line_without_numbers_of_pixels() -> None:
    two = result(2)
    two.rows[1] = row(1, "dead")
    assert repr(two) == "Result(2 pictures of 8x8 px; m<i>, layer4, clear; 1 dead, 1 ok)"
    assert repr(result(1)) == "Result(1 picture of 8x8 px; m<i>, layer4, clear; 1 ok)"
    assert repr(Result(torch.zeros(0))) == "Result(0 pictures)"


def test_html_has_each_picture_and_escapes_labels() -> None:
    html = result()._repr_html_()
    assert len(re.findall(r'<img src="data:image/webp;base64,[A-Za-z0-9+/=]+" width="128" height="128"', html)) == 3
    assert "m&lt;i&gt;" in html
    assert "<i>" not in html
    assert "4.00" in html


def test_html_of_many_pictures_says_how_many_it_leaves_out() -> None:
    html = result(MOST_SHOWN + 5)._repr_html_()
    assert html.count("<img") == MOST_SHOWN
    assert "and 5 more" in html


def test_what_is_not_finite_is_a_word() -> None:
    broken = result()
    broken.images[1, 0, 0, 0] = torch.nan
    broken.rows[1] = row(1, "nan")
    html = broken._repr_html_()
    assert html.count("<img") == 2
    assert ">nan<" in html


@pytest.mark.parametrize(("channels", "mode"), [(1, "L"), (3, "RGB"), (4, "RGB")])
def test_pillow_pictures_are_the_rounded_ones(channels: int, mode: str) -> None:
    some = result(2, channels)
    pictures = some.to_pil()
    assert [picture.mode for picture in pictures] == [mode] * 2
    wanted = (some.images[0, :3].permute(1, 2, 0) * 255).round().numpy().squeeze()
    assert np.array_equal(np.array(pictures[0]), wanted)


def test_a_grid_has_the_columns_that_are_asked_for() -> None:
    assert result(4).grid(columns=4).width > result(4).grid(columns=1).width
    assert png(result().grid(labels=["a", "b", "c"])) != png(result().grid())


@pytest.mark.parametrize(
    "use",
    [
        lambda some, _: some.grid(labels=["one"]),
        lambda some, _: some.grid(labels="abc"),
        lambda some, _: some.grid(columns=0),
        lambda _, __: Result(torch.zeros(0)).grid(),
        lambda some, _: Result(some.images).save("unwritten"),
        lambda some, folder: (some.save(folder), some.save(folder)),
    ],
)
def test_what_cannot_be_is_refused(use: Callable[[Result, Path], object], tmp_path: Path) -> None:
    with pytest.raises(FeatvizError):
        use(result(), tmp_path / "saved")


def test_saved_files_are_those_of_a_run(tmp_path: Path) -> None:
    some = result()
    saved = some.save(tmp_path / "a")
    RunFolder(tmp_path / "b").save_chunk(some.images, some.rows)
    names = ["images/layer4/0000.png", "images/layer4/0002.png", "results.csv"]
    assert [(saved / name).read_bytes() for name in names] == [(tmp_path / "b" / name).read_bytes() for name in names]
    assert (saved / "grid_layer4.png").exists()
    assert [one["filter"] for one in read_rows(saved)] == [0, 1, 2]
    assert some.rows[0]["image"] == ""
