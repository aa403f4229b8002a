import io

import numpy as np
import pytest
from PIL import Image

from featviz.results.film import PROPORTIONS, animation, cut, strip


def frames(count: int, height: int, width: int, mode: str = "RGB") -> list[Image.Image]:
    levels = np.random.default_rng(0).integers(0, 256, (count, height, width, 3), dtype=np.uint8)
    return [Image.fromarray(one).convert(mode) for one in levels]


@pytest.mark.parametrize(("count", "height", "width"), [(1, 5, 9), (7, 12, 12), (16, 11, 11), (40, 9, 16), (3, 4, 90)])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_a_strip_is_cut_into_its_frames_again(count: int, height: int, width: int, mode: str) -> None:
    made = frames(count, height, width, mode)
    sheet = strip(made)
    assert [one.tobytes() for one in cut(sheet, count, height, width)] == [one.tobytes() for one in made]
    if count > 9 and width < 2 * height:
        assert PROPORTIONS / 1.7 < sheet.width / sheet.height < PROPORTIONS * 1.7


def test_another_picture_is_no_strip() -> None:
    with pytest.raises(ValueError, match="no strip of 4 frames"):
        cut(strip(frames(4, 5, 5)), 4, 5, 6)


def test_an_animation_has_all_frames_without_loss() -> None:
    made = frames(5, 8, 6)
    content = animation(made)
    assert content == animation(made)
    with Image.open(io.BytesIO(content)) as image:
        assert (image.format, image.n_frames, image.info["loop"]) == ("WEBP", 5, 0)
        for at, frame in enumerate(made):
            image.seek(at)
            assert np.array_equal(np.asarray(image.convert("RGB")), np.asarray(frame))
