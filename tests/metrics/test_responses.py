"""Photos are shown to a network once."""

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from photo_folder import NAMES
from torch import Tensor

from featviz.metrics.responses import BATCH, PhotoResponses
from featviz.photos.files import load_photo

pytestmark = pytest.mark.usefixtures("photos_here")


def test_each_photo_is_shown_once_and_found_again_in_any_order() -> None:
    shown: list[int] = []

    def respond(pictures: Tensor) -> dict[str, Tensor]:
        shown.append(len(pictures))
        return {"one": torch.stack([pictures.mean((2, 3)), pictures.amax((2, 3))], 1)}

    def expected(files: Sequence[Path]) -> Tensor:
        photos = torch.stack([load_photo(file, 20, 1) for file in files])
        return torch.stack([photos.mean((2, 3)), photos.amax((2, 3))], 1)

    photos, files = PhotoResponses(respond, 20, 1), [Path("photos", name) for name in NAMES[: BATCH + 3]]
    torch.testing.assert_close(photos(files[:5])["one"], expected(files[:5]))
    some = [files[4], files[9], files[0], files[9]]
    torch.testing.assert_close(photos(some)["one"], expected(some))
    assert (shown, photos([])) == ([5, 1], {})
    photos(files)
    assert shown == [5, 1, BATCH + 3 - 6]
