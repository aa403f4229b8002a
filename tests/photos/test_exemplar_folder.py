"""The photos that a run of task=exemplars keeps, read again."""

from pathlib import Path

import pytest
from photo_folder import table, tiny
from refusals import refusal_of

import featviz
from featviz.photos.exemplar_folder import ExemplarFolder

TABLES = ("exemplars.csv", "weakest.csv", "references.csv")

pytestmark = pytest.mark.usefixtures("photos_here")


def names(found: list[featviz.photos.exemplars.Exemplar], number: int) -> list[str]:
    return [one.photo.name for one in found if one.filter == number]


def test_the_strongest_and_the_weakest_of_a_filter() -> None:
    found = featviz.exemplars(tiny(), "photos", "second", [3, 5], k=4, output="there", overrides=["references=6"])
    folder = ExemplarFolder("there")
    images = {row["image"]: Path(row["photo"]).name for name in TABLES for row in table(Path("there", name))}
    for number in (3, 5):
        top, bottom = folder.extremes("second", number)
        assert [images[str(file.relative_to("there"))] for file in top] == names(found.strongest, number)
        assert [images[str(file.relative_to("there"))] for file in bottom] == names(found.weakest, number)
    assert folder.extremes("second", 4) == folder.extremes("first", 3) == ([], [])
    assert len(folder.references) == 6
    assert all(file.is_file() for file in folder.references)


def test_the_folder_of_another_run_is_refused_from_python_too() -> None:
    def calls(k: int) -> None:
        featviz.exemplars(tiny(), "photos", "second", [3], k=k, output="there", overrides=["relations=false"])

    calls(1)
    before = {path: path.read_bytes() for path in Path("there").rglob("*.*") if path.is_file()}
    error = refusal_of(lambda: calls(2))
    assert (error.got, error.expected) == ("k was 1 and is 2", "another folder")
    assert {path: path.read_bytes() for path in Path("there").rglob("*.*") if path.is_file()} == before
    calls(1)  # the same once more is none


@pytest.mark.parametrize(("photos", "k", "many"), [(7, 9, 3), (2, 1, 1), (6, 3, 3), (5, 3, 2)])
def test_of_few_photos_each_is_on_one_side_only(photos: int, k: int, many: int) -> None:
    files = [f"photos/{at:03d}.png" for at in range(photos)]
    featviz.exemplars(tiny(), files, "second", [3], k=k, output="there")
    top, bottom = ExemplarFolder("there").extremes("second", 3)
    assert (len(top), len(bottom)) == (many, many)
    assert not set(top) & set(bottom)


def test_a_folder_of_an_earlier_version() -> None:
    featviz.exemplars(tiny(), "photos", "second", [3], k=1, output="there")
    Path("there/weakest.csv").unlink()
    error = refusal_of(lambda: ExemplarFolder("there").extremes("second", 3))
    assert (error.setting, error.got) == ("exemplars", Path("there"))
