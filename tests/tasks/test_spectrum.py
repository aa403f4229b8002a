"""Spectra of photos that there are not."""

from pathlib import Path

import pytest
from pictures import photo
from program import refused


@pytest.mark.end_to_end
@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("data=empty", "folder empty holds no photo; expected files ending in .avif"),
        ("data=gud.png", "there is no photo or folder 'gud.png'; nearest: good.png"),
        ("data=text.jpg", "none of 1 photos can be read; photo text.jpg is no picture that can be read"),
    ],
)
def test_a_spectrum_of_no_photos(typed: str, words: str) -> None:
    photo().save("good.png")
    Path("text.jpg").write_text("no photo")
    Path("empty").mkdir()
    assert words in refused("task=spectrum", typed)
    assert not list(Path().rglob("spectrum.*"))
