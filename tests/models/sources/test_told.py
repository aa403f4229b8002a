import os
from pathlib import Path

import pytest

from featviz.errors import FeatvizError
from featviz.models.sources.told import LONGEST_NAMES, check_origin, class_names, weights_name


def test_weights_are_called_by_their_file_and_by_the_network_in_it_that_was_chosen() -> None:
    assert weights_name("runs/last.pth", None) == "runs/last.pth"
    assert weights_name("runs/last.pth", "ema") == "runs/last.pth [ema]"


@pytest.mark.parametrize(
    ("origin", "setting"),
    [
        (("random", "ema"), "model.weights_key"),
        (("given", "ema"), "model.weights_key"),
        (("pretrained", "ema", "https://a.org/w.pth"), "model.weights_key"),
        (("random", None, "https://a.org/w.pth"), "model.url"),
        (("w.pt", "ema", "https://a.org/w.pth"), "model.url"),
    ],
)
def test_where_weights_come_from_is_used_or_refused(origin: tuple[str, ...], setting: str) -> None:
    Path("w.pt").touch()
    check_origin("w.pt", "ema")
    check_origin("pretrained", None, "https://a.org/w.pth")
    with pytest.raises(FeatvizError) as told:
        check_origin(*origin)
    assert told.value.setting == setting


def test_names_of_classes_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_bytes(b"\xef\xbb\xbfcat\r\n dog \n")
    assert class_names(str(tmp_path / "names.txt")) == ("cat", "dog")


def test_files_of_names_that_would_never_end_are_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with (tmp_path / "long.txt").open("wb") as file:
        file.truncate(LONGEST_NAMES + 1)
    for file in (tmp_path / "pipe", tmp_path / "long.txt", Path("/dev/zero")):
        with pytest.raises(FeatvizError) as refused:
            class_names(str(file))
        assert (refused.value.setting, refused.value.got) == ("model.classes", str(file))
