"""Photos of every kind handed to an objective."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pictures import photo
from PIL import Image
from program import PLAIN, SHORT, made

from featviz.results.folder import read_rows

SIZE = 48


def caricature(file: str) -> tuple[float, bytes]:
    """The activation of a caricature of one step, and its picture's bytes."""
    typed = ("objective=caricature", f"objective.photo={file}", "schedule.steps=1", *PLAIN)
    folder = made(*SHORT, *typed, output=f"outputs_{Path(file).stem}")
    (row,) = read_rows(folder)
    assert (row["objective"], row["filter"], row["status"]) == ("caricature", 0, "ok")
    return float(row["activation"]), np.array(Image.open(folder / row["image"])).tobytes()


def gray(file: str) -> Image.Image:
    photo().convert("L").save(file)
    return photo().convert("L").convert("RGB")


def alpha(file: str) -> Image.Image:
    """Its left half is transparent: gray shows through, not the colors that lie below."""
    clear = photo().convert("RGBA")
    clear.paste((255, 0, 0, 0), (0, 0, SIZE // 2, SIZE))
    clear.save(file)
    expected = photo()
    expected.paste((128, 128, 128), (0, 0, SIZE // 2, SIZE))
    return expected


def cmyk(file: str) -> Image.Image:
    photo().convert("CMYK").save(file)
    return photo()


def rotated(file: str) -> Image.Image:
    exif = Image.Exif()
    exif[274] = 8  # to be turned by 90 degrees anticlockwise
    photo(SIZE, SIZE + 24).save(file, exif=exif)
    return photo(SIZE, SIZE + 24).transpose(Image.Transpose.ROTATE_90)


@pytest.mark.end_to_end
@pytest.mark.parametrize(("make", "file"), [(gray, "a.png"), (alpha, "a.png"), (cmyk, "a.tif"), (rotated, "a.png")])
def test_a_photo_of_any_kind_is_seen_as_the_eye_sees_it(make: Callable[[str], Image.Image], file: str) -> None:
    expected = make(file)
    assert expected.mode == "RGB"
    expected.save("plain.png")
    assert caricature(file) == caricature("plain.png")


@pytest.mark.end_to_end
def test_several_photos_make_a_picture_each() -> None:
    photo().save("one.png")
    photo().rotate(180).save("two.png")
    folder = made(*SHORT, "objective=caricature", "objective.photo=[one.png,two.png]", *PLAIN)
    rows = read_rows(folder)
    assert [row["filter"] for row in rows] == [0, 1]
    assert rows[0]["activation"] != rows[1]["activation"]
