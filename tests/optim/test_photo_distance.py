"""A penalty on pictures that leave a photo."""

from pathlib import Path

import numpy as np
import pytest
import torch
from pictures import photo
from refusals import refusal_of

from featviz.optim import PhotoDistance
from featviz.photos.files import load_photo


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [16, (12, 20)])
def test_it_is_the_mean_squared_difference(channels: int, size: int | tuple[int, int], tmp_path: Path) -> None:
    path = tmp_path / "photo.png"
    photo().save(path)
    seen = load_photo(path, size, channels)
    pictures = torch.rand(2, *seen.shape, generator=torch.Generator().manual_seed(0))
    expected = 3 * ((pictures - seen).double().numpy() ** 2).reshape(2, -1).mean(1)
    np.testing.assert_allclose(PhotoDistance(3.0, str(path))(pictures), expected, rtol=1e-5)
    assert PhotoDistance(3.0, str(path))(seen[None]).item() == 0


def test_bad_settings(tmp_path: Path) -> None:
    assert refusal_of(lambda: PhotoDistance(-1.0, "x")).setting == "regularizers.photo_distance.weight"
    assert refusal_of(PhotoDistance).setting == "regularizers.photo_distance.path"
    refusal_of(lambda: PhotoDistance(1.0, str(tmp_path / "none.png")))
