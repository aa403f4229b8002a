import pytest
import torch
from torch.nn import functional as F

from featviz.models.frames import by_frame, films_of, frames_of, resized
from featviz.shapes import Shape


def test_frames_come_film_by_film_and_go_back() -> None:
    films = torch.rand(2, 3, 4, 5, 6)
    frames = frames_of(films)
    assert torch.equal(frames[5], films[1, :, 1])
    assert torch.equal(films_of(frames, 4), films)


def test_each_frame_is_changed_by_itself() -> None:
    films = torch.rand(2, 3, 4, 8, 6)
    shrunk = by_frame(lambda frames: F.avg_pool2d(frames, 2), films)
    assert torch.equal(shrunk[1, :, 2], F.avg_pool2d(films[1:, :, 2], 2)[0])
    picture = torch.rand(1, 3, 8, 6)
    assert torch.equal(by_frame(lambda frames: F.avg_pool2d(frames, 2), picture), F.avg_pool2d(picture, 2))


@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
def test_films_are_resampled_in_space_then_in_time(mode: str) -> None:
    films = torch.rand(1, 2, 4, 6, 8)
    found = resized(films, Shape((8, 9, 12)), mode)
    frames = torch.stack([F.interpolate(films[:, :, at], (9, 12), mode=mode) for at in range(4)], 2)
    by_position = frames.permute(0, 1, 3, 4, 2).reshape(1, -1, 4)
    expected = F.interpolate(by_position, 8, mode="linear").reshape(1, 2, 9, 12, 8).movedim(-1, 2)
    torch.testing.assert_close(found, expected)


def test_what_has_its_shape_stays() -> None:
    picture = torch.rand(1, 3, 5, 7)
    assert resized(picture, Shape((5, 7))) is picture
